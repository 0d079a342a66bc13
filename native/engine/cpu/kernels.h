// The factories of the CPU kernels, one per op file.
#pragma once

#include <memory>
#include <vector>

#include "base/error.h"
#include "engine/cpu/bounds.h"
#include "engine/kernel.h"

namespace hpmp::cpu {

using KernelPtr = std::unique_ptr<Kernel>;

KernelPtr make_conv(const KernelSpec& spec);
KernelPtr make_conv_transpose(const KernelSpec& spec);
KernelPtr make_depth_to_space(const KernelSpec& spec);
KernelPtr make_space_to_depth(const KernelSpec& spec);
KernelPtr make_dense(const KernelSpec& spec);
KernelPtr make_batch_norm(const KernelSpec& spec);
KernelPtr make_affine(const KernelSpec& spec);
KernelPtr make_relu(const KernelSpec& spec);
KernelPtr make_clip(const KernelSpec& spec);
KernelPtr make_pointwise(const KernelSpec& spec);
KernelPtr make_prelu(const KernelSpec& spec);
KernelPtr make_mul(const KernelSpec& spec);
KernelPtr make_extremum(const KernelSpec& spec);
KernelPtr make_max_pool(const KernelSpec& spec);
KernelPtr make_average_pool(const KernelSpec& spec);
KernelPtr make_global_average_pool(const KernelSpec& spec);
KernelPtr make_resample(const KernelSpec& spec);
KernelPtr make_add(const KernelSpec& spec);
KernelPtr make_dropout(const KernelSpec& spec);
KernelPtr make_lrn(const KernelSpec& spec);
KernelPtr make_layer_norm(const KernelSpec& spec);
KernelPtr make_softmax(const KernelSpec& spec);
KernelPtr make_loss(const KernelSpec& spec);
KernelPtr make_output(const KernelSpec& spec);

inline const Node& node_of(const KernelSpec& spec) { return spec.graph->node(spec.node); }

/// Of a relu or clip, as the type of the tensors holds them: a backward pass finds them in what was
/// stored. None where the id is not valid.
Bounds bounds_of(const KernelSpec& spec, NodeId n);

/// A kernel of the template K for the type that the tensors of `spec` store.
template <template <class> class K, class... Args>
KernelPtr make_stored(const KernelSpec& spec, const Args&... args) {
  return with_storage(spec.dtype, [&](auto stored) -> KernelPtr {
    return std::make_unique<K<decltype(stored)>>(args...);
  });
}

/// Elementwise kernels walk both tensors with one index.
inline void ensure_same_layout(const TensorRef& a, const TensorRef& b) {
  ensure(a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w && a.block == b.block,
         "the operands of an elementwise kernel have one shape and one layout");
}

}  // namespace hpmp::cpu
