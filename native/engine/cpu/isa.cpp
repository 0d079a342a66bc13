// The question is oneDNN's: our layouts follow what its primitives like.
#include "engine/cpu/isa.h"

#include <dnnl.h>

namespace hpmp::cpu {

namespace {

bool has(dnnl_cpu_isa_t isa) { return (dnnl_get_effective_cpu_isa() & isa) == isa; }

}  // namespace

bool has_avx512() {
  static const bool there = has(dnnl_cpu_isa_avx512_core);
  return there;
}

bool has_avx512_bf16() {
  static const bool there = has(dnnl_cpu_isa_avx512_core_bf16);
  return there;
}

}  // namespace hpmp::cpu
