// affine: y = x * scale + shift per channel, either of which may be missing.
#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/channels.h"

namespace hpmp::cuda {
namespace {

class Affine : public Kernel {
 public:
  Affine(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        has_scale_(node_of(spec).attrs.has_scale),
        has_shift_(node_of(spec).attrs.has_shift),
        sums_(target, 1, spec.samples * spec.output_shape.h * spec.output_shape.w,
              spec.output_shape.c),
        scale_(*stream_.device(), "scale_channels", target.storage),
        add_sums_(*stream_.device(), "add_sums") {}

  std::size_t scratch_bytes() const override { return sums_.scratch_bytes(); }

  void forward(const ForwardArgs& args) override {
    scale(args.inputs[0], args.output, args.params, shift(args.params), false);
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &dy = args.grad_output, &dx = args.grad_inputs[0];
    float* scale_grad = has_scale_ ? args.param_grads[0] : nullptr;
    float* shift_grad = shift(args.param_grads);
    if (scale_grad || shift_grad) {
      const SumPair* sums = scale_grad
                                ? sums_.run(kProducts, args.inputs[0].data, dy.data, args.scratch)
                                : sums_.run(kValues, dy.data, nullptr, args.scratch);
      add_sums_.run(stream_, dy.c, {0, static_cast<int>(dy.c), 0, sums, shift_grad, scale_grad});
    }
    if (dx.data) scale(dy, dx, args.params, nullptr, args.accumulate[0]);
  }

 private:
  void scale(const TensorRef& x, const TensorRef& y, const std::vector<float*>& params,
             const float* shift, bool accumulate) const {
    ensure_nhwc(x);
    const float* factor = has_scale_ ? params[0] : nullptr;
    scale_.run(stream_, y.elems(), y.c, {x.data, y.data, factor, shift},
               {0, static_cast<int>(y.c), x.data, factor, shift, y.data, accumulate});
  }

  float* shift(const std::vector<float*>& of) const {
    return has_shift_ ? of[has_scale_ ? 1 : 0] : nullptr;
  }

  Stream& stream_;
  bool has_scale_, has_shift_;
  ColumnSums sums_;
  WideEntry<ScaleArgs> scale_;
  PlainEntry<AddSumsArgs> add_sums_;
};

}  // namespace

KernelPtr make_affine(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Affine>(spec, target);
}

}  // namespace hpmp::cuda
