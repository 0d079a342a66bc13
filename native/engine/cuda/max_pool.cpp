// max_pool, with the relu or clip that its link fuses before it. Remembers each winner's pixel in
// training, -1 where no gradient passes.
#include "engine/cuda/kernels.h"
#include "engine/cuda/pool_axis.h"

namespace hpmp::cuda {
namespace {

class MaxPool : public Kernel {
 public:
  MaxPool(const KernelSpec& spec, const Attrs& attrs, const Target& target)
      : stream_(target.stream),
        bounds_(bounds_of(spec, spec.fused.empty() ? NodeId() : spec.node)),
        rows_(axis_of(attrs, 0, spec.input_shapes[0].h, spec.output_shape.h)),
        columns_(axis_of(attrs, 1, spec.input_shapes[0].w, spec.output_shape.w)),
        forward_(*stream_.device(), "max_pool_forward", target.storage),
        backward_(*stream_.device(), "max_pool_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure_nhwc(x);
    forward_.run(stream_, y.elems(), y.c, {x.data, y.data, args.saved},
                 {0, static_cast<int>(y.c), rows_, columns_, bounds_.low, bounds_.high, x.data,
                  y.data, reinterpret_cast<int*>(args.saved)});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    ensure(args.saved, "max_pool has the winners of its forward pass");
    backward_.run(stream_, dx.elems(), dx.c, {dy.data, dx.data, args.saved},
                  {0, static_cast<int>(dx.c), rows_, columns_, dy.data,
                   reinterpret_cast<const int*>(args.saved), dx.data, args.accumulate[0]});
  }

 private:
  Stream& stream_;
  Bounds bounds_;
  PoolAxis rows_, columns_;
  WideEntry<MaxPoolArgs> forward_;
  WideEntry<MaxPoolGradArgs> backward_;
};

}  // namespace

KernelPtr make_max_pool(const KernelSpec& spec, const Target& target) {
  const Node& pool = spec.fused.empty() ? node_of(spec) : spec.graph->node(spec.fused.back());
  return std::make_unique<MaxPool>(spec, pool.attrs, target);
}

}  // namespace hpmp::cuda
