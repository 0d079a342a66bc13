// The pointwise functions for the instruction set that the library is built for.
#define HPMP_ISA baseline
#include "engine/cpu/pointwise/lanes.h"

namespace hpmp::cpu::pointwise {

const Code& baseline_code() {
  static constexpr Code code = baseline::make_code();
  return code;
}

}  // namespace hpmp::cpu::pointwise
