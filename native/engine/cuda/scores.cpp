// softmax and its logarithm over the channels of each pixel, and the loss.
#include "engine/cuda/kernels/scores.h"

#include "engine/cuda/kernels.h"
#include "engine/cuda/labels.h"

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
                 {0, static_cast<int>(x.c), args.step.label_smoothing, args.step.numbers, x.data,
                  labels_of(args.labels), static_cast<float*>(y)});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dx = args.grad_inputs[0];
    if (!dx.data) return;
    backward_.run(stream_, x.n,
                  {0, static_cast<int>(x.c), weight_, args.step.label_smoothing, args.step.counted,
                   args.step.numbers, x.data, labels_of(args.labels), dx.data, args.accumulate[0]});
  }

 private:
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
  if (spec.input_shapes[0].h * spec.input_shapes[0].w > 1) return make_map_loss(spec, target);
  return std::make_unique<Loss>(target, node_of(spec).attrs.weight);
}

}  // namespace hpmp::cuda
