// Winograd's inner loops on bf16 for AVX512-BF16; the build compiles this file alone for it.
#define HPMP_LANES 16
#define HPMP_ISA avx512_bf16
#include "engine/cpu/winograd/table.h"

namespace hpmp::cpu::winograd {

const Code& avx512_bf16_code() {
  static constexpr Code code = avx512_bf16::make_code<Bf16>();
  return code;
}

}  // namespace hpmp::cpu::winograd
