// relu and clip.
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/elementwise.h"

namespace hpmp::cuda {
namespace {

class BoundsKernel : public Kernel {
 public:
  BoundsKernel(Bounds bounds, const Target& target)
      : stream_(target.stream),
        bounds_(bounds),
        forward_(*stream_.device(), "bounds_forward", target.storage),
        backward_(*stream_.device(), "bounds_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    forward_.run(stream_, y.elems(), y.elems(), {x.data, y.data},
                 {0, bounds_.low, bounds_.high, x.data, y.data});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &y = args.output, &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    backward_.run(stream_, dx.elems(), dx.elems(), {y.data, dy.data, dx.data},
                  {0, bounds_.low, bounds_.high, y.data, dy.data, dx.data, args.accumulate[0]});
  }

 private:
  Stream& stream_;
  Bounds bounds_;
  WideEntry<BoundsArgs> forward_;
  WideEntry<BoundsGradArgs> backward_;
};

}  // namespace

KernelPtr make_bounds(const KernelSpec& spec, const Target& target) {
  return std::make_unique<BoundsKernel>(bounds_of(spec, spec.node), target);
}

}  // namespace hpmp::cuda
