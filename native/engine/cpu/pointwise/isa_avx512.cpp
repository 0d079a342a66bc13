// The pointwise functions for AVX-512; the build compiles this file alone for it.
#define HPMP_ISA avx512
#include "engine/cpu/pointwise/lanes.h"

namespace hpmp::cpu::pointwise {

const Code& avx512_code() {
  static constexpr Code code = avx512::make_code();
  return code;
}

}  // namespace hpmp::cpu::pointwise
