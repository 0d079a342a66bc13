// The factories of the GPU kernels, one per op file, and what they are prepared for.
#pragma once

#include <memory>

#include "engine/cpu/kernels.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

using KernelPtr = std::unique_ptr<Kernel>;

KernelPtr make_conv(const KernelSpec& spec, const Target& target);
KernelPtr make_conv_transpose(const KernelSpec& spec, const Target& target);
KernelPtr make_depth_space(const KernelSpec& spec, const Target& target);
KernelPtr make_dense(const KernelSpec& spec, const Target& target);
KernelPtr make_batch_norm(const KernelSpec& spec, const Target& target);
KernelPtr make_affine(const KernelSpec& spec, const Target& target);
KernelPtr make_bounds(const KernelSpec& spec, const Target& target);
KernelPtr make_pointwise(const KernelSpec& spec, const Target& target);
KernelPtr make_prelu(const KernelSpec& spec, const Target& target);
KernelPtr make_mul(const KernelSpec& spec, const Target& target);
KernelPtr make_extremum(const KernelSpec& spec, const Target& target);
KernelPtr make_max_pool(const KernelSpec& spec, const Target& target);
KernelPtr make_average_pool(const KernelSpec& spec, const Target& target);
KernelPtr make_global_average_pool(const KernelSpec& spec, const Target& target);
KernelPtr make_resample(const KernelSpec& spec, const Target& target);
KernelPtr make_add(const KernelSpec& spec, const Target& target);
KernelPtr make_dropout(const KernelSpec& spec, const Target& target);
KernelPtr make_lrn(const KernelSpec& spec, const Target& target);
KernelPtr make_layer_norm(const KernelSpec& spec, const Target& target);
KernelPtr make_softmax(const KernelSpec& spec, const Target& target);
KernelPtr make_loss(const KernelSpec& spec, const Target& target);
KernelPtr make_map_loss(const KernelSpec& spec, const Target& target);
KernelPtr make_output(const KernelSpec& spec, const Target& target);

/// Whether a node becomes a function of one number (pointwise.cpp).
bool is_pointwise(const Node& node);

using cpu::Bounds;
using cpu::bounds_of;
using cpu::node_of;

/// Kernels on the GPU have one layout: NHWC, a tensor of one block.
inline void ensure_nhwc(const TensorRef& t) {
  ensure(!t.data || t.block == t.c, "a tensor on the GPU is NHWC");
}

inline std::int64_t rows_of(const TensorRef& t) { return t.n * t.pixels(); }

}  // namespace hpmp::cuda
