// batch_norm's loops for the instruction set that the whole library is compiled for.
#define HPMP_LANES 8
#define HPMP_ISA baseline
#include "engine/cpu/norm/lanes.h"

namespace hpmp::cpu::norm {

const Code& baseline_code() {
  static const Code code = baseline::make_code();
  return code;
}

}  // namespace hpmp::cpu::norm
