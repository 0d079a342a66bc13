// A dense layer's update for the instruction set that the whole library is compiled for.
#define HPMP_LANES 8
#define HPMP_ISA baseline
#include "engine/cpu/dense/lanes.h"

namespace hpmp::cpu::dense {

const Code& baseline_code() {
  static constexpr Code code = baseline::make_code();
  return code;
}

}  // namespace hpmp::cpu::dense
