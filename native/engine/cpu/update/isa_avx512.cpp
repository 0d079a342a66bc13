// An optimizer's step for AVX-512; the build compiles this file alone for it.
#define HPMP_LANES 16
#define HPMP_ISA avx512
#include "engine/cpu/update/lanes.h"

namespace hpmp::cpu::update {

const Code& avx512_code() {
  static constexpr Code code{avx512::run};
  return code;
}

}  // namespace hpmp::cpu::update
