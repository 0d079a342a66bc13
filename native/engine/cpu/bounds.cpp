// The bounds of a relu or clip.
#include <limits>

#include "engine/cpu/kernels.h"

namespace hpmp::cpu {

Bounds bounds_of(const KernelSpec& spec, NodeId n) {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  if (!n.valid()) return {kNone, kNone};
  const Node& node = spec.graph->node(n);
  if (node.op == OpKind::relu) return {0, kNone};
  return with_storage(spec.dtype, [&](auto stored) -> Bounds {
    using T = decltype(stored);
    return {T(static_cast<float>(node.attrs.min)), T(static_cast<float>(node.attrs.max))};
  });
}

}  // namespace hpmp::cpu
