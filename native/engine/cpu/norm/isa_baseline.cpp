// batch_norm's loops for the instruction set that the whole library is compiled for.
#define HPMP_LANES 8
#define HPMP_ISA baseline
#include "engine/cpu/norm/lanes.h"

namespace hpmp::cpu::norm {

const Code<float>& baseline_code() {
  static constexpr Code<float> code = baseline::make_code<float>();
  return code;
}

const Code<Bf16>& baseline_bf16_code() {
  static constexpr Code<Bf16> code = baseline::make_code<Bf16>();
  return code;
}

}  // namespace hpmp::cpu::norm
