// dropout: the CPU's masks, bit for bit, computed again in backward.
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/channels.h"
#include "engine/cuda/sum_operands.h"
#include "engine/cuda/table.h"

namespace hpmp::cuda {
namespace {

std::vector<int> members(const Ranges& ranges) {
  std::vector<int> all;
  for (Range r : ranges) {
    for (std::int64_t c = r.begin; c < r.end; ++c) all.push_back(static_cast<int>(c));
  }
  return all;
}

class Dropout : public Kernel {
 public:
  Dropout(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        node_(spec.node),
        ratio_(node_of(spec).attrs.ratio),
        spread_(node_of(spec).attrs.per_sample ? 0 : 1),
        channels_(target.stream, members(spec.channels)),
        copies_(target),
        dropout_(*stream_.device(), "dropout", target.storage) {}

  std::size_t resident_bytes() const override { return channels_.bytes(); }

  void forward(const ForwardArgs& args) override {
    apply(args.inputs[0], args.output, args.step, false);
  }

  void backward(const BackwardArgs& args) override {
    if (args.grad_inputs[0].data)
      apply(args.grad_output, args.grad_inputs[0], args.step, args.accumulate[0]);
  }

 private:
  void apply(const TensorRef& x, const TensorRef& y, const StepInfo& step, bool accumulate) const {
    if (!step.training || ratio_ <= 0) return copies_.copy(x, y, accumulate);
    ensure_nhwc(x);
    DropoutArgs a{};
    a.c = static_cast<int>(x.c);
    a.pixels = static_cast<int>(x.pixels());
    a.x = x.data;
    a.y = y.data;
    a.channels = channels_.data();
    a.numbers = step.numbers;
    a.seed = step.seed;
    a.step = step.step;
    a.node = static_cast<std::uint64_t>(node_.index);
    a.first_sample = static_cast<std::uint64_t>(step.first_sample);
    a.limit = static_cast<std::uint32_t>(ratio_ * 4294967296.0);
    a.spread = spread_;
    a.scale = static_cast<float>(1 / (1 - ratio_));
    a.accumulate = accumulate;
    dropout_.run(stream_, x.elems(), x.c, {x.data, y.data}, a);
  }

  Stream& stream_;
  NodeId node_;
  double ratio_;
  unsigned spread_;
  Table<int> channels_;
  SumOperands copies_;
  WideEntry<DropoutArgs> dropout_;
};

}  // namespace

KernelPtr make_dropout(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Dropout>(spec, target);
}

}  // namespace hpmp::cuda
