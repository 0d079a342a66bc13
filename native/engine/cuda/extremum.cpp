// max and min of equal shapes; operands that are equal share the gradient.
#include <vector>

#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/elementwise.h"

namespace hpmp::cuda {
namespace {

class Extremum : public Kernel {
 public:
  Extremum(bool least, const Target& target)
      : stream_(target.stream),
        sign_(least ? -1.F : 1.F),
        forward_(*stream_.device(), "extremum_forward", target.storage),
        backward_(*stream_.device(), "extremum_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    ExtremumArgs a = operands(args.inputs);
    a.to = args.output.data;
    run(forward_, a, args.output.elems());
  }

  void backward(const BackwardArgs& args) override {
    ExtremumArgs a = operands(args.inputs);
    a.dy = args.grad_output.data;
    for (std::size_t k = 0; k < args.grad_inputs.size(); ++k) {
      if (!args.grad_inputs[k].data) continue;
      a.own = static_cast<int>(k);
      a.to = args.grad_inputs[k].data;
      a.accumulate = args.accumulate[k];
      run(backward_, a, args.grad_output.elems());
    }
  }

 private:
  ExtremumArgs operands(const std::vector<TensorRef>& inputs) const {
    ExtremumArgs a{};
    a.sign = sign_;
    for (const TensorRef& x : inputs) a.x[a.count++] = x.data;
    return a;
  }

  void run(const WideEntry<ExtremumArgs>& entry, const ExtremumArgs& a, std::int64_t elems) const {
    std::vector<const void*> tensors(a.x, a.x + a.count);
    tensors.insert(tensors.end(), {a.to, a.dy});
    entry.run(stream_, elems, elems, tensors, a);
  }

  Stream& stream_;
  float sign_;
  WideEntry<ExtremumArgs> forward_, backward_;
};

}  // namespace

KernelPtr make_extremum(const KernelSpec& spec, const Target& target) {
  const Node& node = node_of(spec);
  if (node.inputs.size() > static_cast<std::size_t>(kMostCompared))
    fail(ErrorCode::unsupported_op,
         "cannot prepare node '" + node.name + "' for a GPU: it has " +
             std::to_string(node.inputs.size()) + " operands, the kernel takes " +
             std::to_string(kMostCompared) + "; split it, or use --device cpu");
  return std::make_unique<Extremum>(node.op == OpKind::min, target);
}

}  // namespace hpmp::cuda
