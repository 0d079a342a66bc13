// batch_norm's loops for AVX-512; the build compiles this file alone for it.
#define HPMP_LANES 16
#define HPMP_ISA avx512
#include "engine/cpu/norm/lanes.h"

namespace hpmp::cpu::norm {

const Code<float>& avx512_code() {
  static constexpr Code<float> code = avx512::make_code<float>();
  return code;
}

}  // namespace hpmp::cpu::norm
