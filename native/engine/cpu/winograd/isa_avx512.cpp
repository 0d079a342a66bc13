// Winograd's inner loops for AVX-512; the build compiles this file alone for it.
#define HPMP_LANES 16
#define HPMP_ISA avx512
#include "engine/cpu/winograd/table.h"

namespace hpmp::cpu::winograd {

const Code& avx512_code() {
  static constexpr Code code = avx512::make_code<float>();
  return code;
}

}  // namespace hpmp::cpu::winograd
