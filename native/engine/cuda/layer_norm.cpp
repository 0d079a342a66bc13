// layer_norm: every pixel normalised over its channels, then scaled and shifted per channel.
#include "engine/cuda/kernels/layer_norm.h"

#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels.h"

namespace hpmp::cuda {
namespace {

class LayerNorm : public Kernel {
 public:
  LayerNorm(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        attrs_(node_of(spec).attrs),
        sums_(target, 1, spec.samples * spec.output_shape.h * spec.output_shape.w,
              spec.output_shape.c),
        forward_(*stream_.device(), "layer_norm_forward", target.storage),
        backward_(*stream_.device(), "layer_norm_backward", target.storage),
        row_sums_(*stream_.device(), "layer_norm_sums", target.storage),
        add_sums_(*stream_.device(), "add_sums") {}

  std::size_t scratch_bytes() const override { return sums_.scratch_bytes(); }

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure_nhwc(x);
    forward_.run(stream_, rows_of(x),
                 {0, static_cast<int>(x.c), attrs_.epsilon, x.data, scale(args.params),
                  shift(args.params), y.data, reinterpret_cast<float*>(args.saved)});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output, &dx = args.grad_inputs[0];
    ensure(args.saved, "layer_norm has the means of its forward pass");
    const auto* means = reinterpret_cast<const float*>(args.saved);
    add_param_grads(args, means);
    if (!dx.data) return;
    backward_.run(stream_, rows_of(x),
                  {0, static_cast<int>(x.c), x.data, dy.data, scale(args.params), means, dx.data,
                   args.accumulate[0]});
  }

 private:
  void add_param_grads(const BackwardArgs& args, const float* means) const {
    float *scale_grad = scale(args.param_grads), *shift_grad = shift(args.param_grads);
    if (!scale_grad && !shift_grad) return;
    const TensorRef &x = args.inputs[0], &dy = args.grad_output;
    const int c = static_cast<int>(x.c);
    row_sums_.run(stream_, sums_.all_chunks(), {x.data, dy.data},
                  {0, c, item_count(sums_.rows()), sums_.chunks(), x.data, dy.data, means,
                   reinterpret_cast<SumPair*>(args.scratch)});
    add_sums_.run(stream_, c, {0, c, 0, sums_.merge(args.scratch), shift_grad, scale_grad});
  }

  float* scale(const std::vector<float*>& of) const { return attrs_.has_scale ? of[0] : nullptr; }
  float* shift(const std::vector<float*>& of) const {
    return attrs_.has_shift ? of[attrs_.has_scale ? 1 : 0] : nullptr;
  }

  Stream& stream_;
  Attrs attrs_;
  ColumnSums sums_;
  RowEntry<LayerNormArgs> forward_;
  RowEntry<LayerNormGradArgs> backward_;
  SumEntry<LayerNormSumsArgs> row_sums_;
  PlainEntry<AddSumsArgs> add_sums_;
};

}  // namespace

KernelPtr make_layer_norm(const KernelSpec& spec, const Target& target) {
  return std::make_unique<LayerNorm>(spec, target);
}

}  // namespace hpmp::cuda
