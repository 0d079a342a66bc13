// softmax and its logarithm over the channels of each pixel, and the loss.
#include "engine/cuda/kernels/scores.h"

#include <algorithm>

#include "engine/cuda/kernels.h"

namespace hpmp::cuda {
namespace {

class Softmax : public Kernel {
 public:
  Softmax(const std::string& name, const Target& target)
      : stream_(target.stream),
        forward_(*stream_.device(), name + "_forward", target.storage),
        backward_(*stream_.device(), name + "_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure_nhwc(x);
    forward_.run(stream_, rows_of(x), {0, static_cast<int>(x.c), x.data, y.data});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &y = args.output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    ensure_nhwc(y);
    backward_.run(
        stream_, rows_of(y),
        {0, static_cast<int>(y.c), y.data, args.grad_output.data, dx.data, args.accumulate[0]});
  }

 private:
  Stream& stream_;
  RowEntry<SoftmaxArgs> forward_;
  RowEntry<SoftmaxGradArgs> backward_;
};

static_assert(sizeof(long long) == sizeof(std::int64_t), "labels are as in ForwardArgs");

class Loss : public Kernel {
 public:
  Loss(const Target& target, double weight)
      : stream_(target.stream),
        weight_(weight),
        forward_(*stream_.device(), "loss_forward", target.storage),
        backward_(*stream_.device(), "loss_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    const TensorRef& x = args.inputs[0];
    void* y = args.output.data;
    forward_.run(stream_, x.n,
                 {0, static_cast<int>(x.c), x.data, labels(args.labels), static_cast<float*>(y)});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dx = args.grad_inputs[0];
    if (!dx.data) return;
    const double share =
        weight_ / static_cast<double>(std::max<std::int64_t>(1, args.step.counted));
    backward_.run(stream_, x.n,
                  {0, static_cast<int>(x.c), share, x.data, labels(args.labels), dx.data,
                   args.accumulate[0]});
  }

 private:
  static const long long* labels(const std::int64_t* given) {
    ensure(given, "the loss has labels");
    return reinterpret_cast<const long long*>(given);
  }

  Stream& stream_;
  double weight_;
  RowEntry<LossArgs> forward_;
  RowEntry<LossGradArgs> backward_;
};

}  // namespace

KernelPtr make_softmax(const KernelSpec& spec, const Target& target) {
  const bool logarithm = node_of(spec).op == OpKind::log_softmax;
  return std::make_unique<Softmax>(logarithm ? "log_softmax" : "softmax", target);
}

KernelPtr make_loss(const KernelSpec& spec, const Target& target) {
  const Node& node = spec.graph->node(spec.node);
  if (spec.input_shapes[0].h * spec.input_shapes[0].w > 1) {
    fail(ErrorCode::unsupported_op, "cannot prepare node '" + node.name +
                                        "' for a GPU: the loss of maps has no GPU kernel; use "
                                        "--device cpu");
  }
  return std::make_unique<Loss>(target, node.attrs.weight);
}

}  // namespace hpmp::cuda
