// The kernel of every function of one number.
#include <optional>

#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/elementwise.h"
#include "graph/ops.h"

namespace hpmp::cuda {
namespace {

struct Row {
  OpKind op;
  Function function;
};

constexpr Row kRows[] = {
    {OpKind::sigmoid, kSigmoid},
    {OpKind::hard_sigmoid, kHardSigmoid},
    {OpKind::hard_swish, kHardSwish},
    {OpKind::silu, kSilu},
    {OpKind::leaky_relu, kLeakyRelu},
    {OpKind::elu, kElu},
    {OpKind::selu, kSelu},
    {OpKind::celu, kCelu},
    {OpKind::tanh, kTanh},
    {OpKind::softplus, kSoftplus},
    {OpKind::softsign, kSoftsign},
    {OpKind::gelu, kGelu},
    {OpKind::mish, kMish},
    {OpKind::erf, kErf},
    {OpKind::exp, kExp},
    {OpKind::log, kLog},
    {OpKind::sqrt, kSqrt},
    {OpKind::abs, kAbs},
    {OpKind::neg, kNeg},
    {OpKind::reciprocal, kReciprocal},
    {OpKind::pow, kPow},
};

std::optional<Function> function_of(const Node& node) {
  if (node.op == OpKind::gelu && node.attrs.approximate) return kGeluTanh;
  for (const Row& row : kRows) {
    if (row.op == node.op) return row.function;
  }
  return std::nullopt;
}

class Pointwise : public Kernel {
 public:
  Pointwise(const Node& node, const Target& target)
      : stream_(target.stream),
        function_(*function_of(node)),
        alpha_(static_cast<float>(node.attrs.alpha)),
        beta_(static_cast<float>(node.attrs.beta)),
        exponent_(static_cast<float>(node.attrs.exponent)),
        reads_output_(op_info(node.op).backward_reads_output),
        reads_input_(op_info(node.op).backward_reads_input),
        forward_(*stream_.device(), "pointwise_forward", target.storage),
        backward_(*stream_.device(), "pointwise_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    forward_.run(stream_, y.elems(), y.elems(), {x.data, y.data},
                 {0, function_, alpha_, beta_, exponent_, x.data, y.data});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    const void* at = reads_output_  ? args.output.data
                     : reads_input_ ? args.inputs[0].data
                                    : dy.data;
    backward_.run(
        stream_, dx.elems(), dx.elems(), {at, dy.data, dx.data},
        {0, function_, alpha_, beta_, exponent_, at, dy.data, dx.data, args.accumulate[0]});
  }

 private:
  Stream& stream_;
  Function function_;
  float alpha_, beta_, exponent_;
  bool reads_output_, reads_input_;
  WideEntry<PointwiseArgs> forward_;
  WideEntry<PointwiseGradArgs> backward_;
};

}  // namespace

bool is_pointwise(const Node& node) { return function_of(node).has_value(); }

KernelPtr make_pointwise(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Pointwise>(node_of(spec), target);
}

}  // namespace hpmp::cuda
