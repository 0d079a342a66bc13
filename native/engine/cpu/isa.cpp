// The question is oneDNN's: our layouts follow what its primitives like.
#include "engine/cpu/isa.h"

#include <dnnl.h>

namespace hpmp::cpu {

bool has_avx512() {
  static const bool has =
      (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
  return has;
}

}  // namespace hpmp::cpu
