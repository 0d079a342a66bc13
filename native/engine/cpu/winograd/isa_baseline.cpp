// Winograd's inner loops for the instruction set that the whole library is compiled for.
#define HPMP_LANES 8
#define HPMP_ISA baseline
#include "engine/cpu/winograd/table.h"

namespace hpmp::cpu::winograd {

const Code& baseline_code() {
  static constexpr Code code = baseline::make_code<float>();
  return code;
}

const Code& baseline_bf16_code() {
  static constexpr Code code = baseline::make_code<Bf16>();
  return code;
}

}  // namespace hpmp::cpu::winograd
