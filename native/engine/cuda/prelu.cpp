// prelu: x, and below zero slope * x; the slope is one per channel or one for all.
#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/channels.h"

namespace hpmp::cuda {
namespace {

class Prelu : public Kernel {
 public:
  Prelu(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        shared_(spec.graph->param(node_of(spec).params[0]).rows() == 1),
        sums_(target, 1, spec.samples * spec.output_shape.h * spec.output_shape.w,
              spec.output_shape.c),
        prelu_(*stream_.device(), "prelu", target.storage),
        add_sums_(*stream_.device(), "add_sums") {}

  std::size_t scratch_bytes() const override { return sums_.scratch_bytes(); }

  void forward(const ForwardArgs& args) override {
    scale(args.inputs[0], args.inputs[0], args.params[0], args.output, false);
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output;
    if (args.param_grads[0]) {
      const SumPair* sums = sums_.run(kBelow, x.data, dy.data, args.scratch);
      add_sums_.run(stream_, shared_ ? 1 : x.c,
                    {0, static_cast<int>(x.c), shared_, sums, nullptr, args.param_grads[0]});
    }
    if (args.grad_inputs[0].data)
      scale(x, dy, args.params[0], args.grad_inputs[0], args.accumulate[0]);
  }

 private:
  void scale(const TensorRef& x, const TensorRef& from, const float* slope, const TensorRef& y,
             bool accumulate) const {
    ensure_nhwc(x);
    prelu_.run(stream_, y.elems(), y.c, {x.data, from.data, y.data, shared_ ? nullptr : slope},
               {0, static_cast<int>(y.c), shared_, x.data, from.data, slope, y.data, accumulate});
  }

  Stream& stream_;
  bool shared_;
  ColumnSums sums_;
  WideEntry<PreluArgs> prelu_;
  PlainEntry<AddSumsArgs> add_sums_;
};

}  // namespace

KernelPtr make_prelu(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Prelu>(spec, target);
}

}  // namespace hpmp::cuda
