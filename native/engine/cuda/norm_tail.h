// What a link fuses behind a batch_norm, and where its part of the gradient goes.
#pragma once

#include "engine/cuda/kernels.h"

namespace hpmp::cuda {

struct NormTail {
  bool adds = false, bounded = false;
  Bounds bounds;

  explicit NormTail(const KernelSpec& spec) : bounds(bounds_of(spec, NodeId())) {
    for (NodeId n : spec.fused) {
      const bool is_add = spec.graph->node(n).op == OpKind::add;
      (is_add ? adds : bounded) = true;
      if (!is_add) bounds = bounds_of(spec, n);
    }
  }
};

/// Behind an add the bounds are looked up in the output, once: what passes is kept, as the other
/// operand's gradient if that is not added to, else over the output's.
struct TailGradient {
  void *kept = nullptr, *added = nullptr;

  TailGradient(const NormTail& tail, const BackwardArgs& args) {
    if (!tail.adds) return;
    const TensorRef& other = args.grad_inputs[1];
    if (other.data) (args.accumulate[1] ? added : kept) = other.data;
    if (tail.bounded && !kept) kept = args.grad_output.data;
  }
};

}  // namespace hpmp::cuda
