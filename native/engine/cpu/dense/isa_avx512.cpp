// A dense layer's update for AVX-512; the build compiles this file alone for it.
#define HPMP_LANES 16
#define HPMP_ISA avx512
#include "engine/cpu/dense/lanes.h"

namespace hpmp::cpu::dense {

const Code& avx512_code() {
  static constexpr Code code = avx512::make_code();
  return code;
}

}  // namespace hpmp::cpu::dense
