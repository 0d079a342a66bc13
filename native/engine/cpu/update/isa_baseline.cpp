// An optimizer's step for the instruction set that the whole library is compiled for.
#define HPMP_LANES 8
#define HPMP_ISA baseline
#include "engine/cpu/update/lanes.h"

namespace hpmp::cpu::update {

const Code& baseline_code() {
  static constexpr Code code{baseline::run};
  return code;
}

}  // namespace hpmp::cpu::update
