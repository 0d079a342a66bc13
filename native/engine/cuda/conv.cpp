// conv, with what its link fuses behind it, and dense, which is a convolution of one pixel.
#include <algorithm>
#include <string>

#include "engine/cuda/bias_grad.h"
#include "engine/cuda/conv_passes.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/update.h"
#include "engine/cuda/pool_axis.h"
#include "engine/engine.h"

namespace hpmp::cuda {
namespace {

using cpu::ConvTail;

ConvShape conv_shape(const KernelSpec& spec) {
  const Node& node = node_of(spec);
  const Shape &in = spec.input_shapes[0], &out = spec.output_shape;
  const std::int64_t whole = spec.graph->shape(node.output).c;
  const std::int64_t groups = node.attrs.groups == 1 ? 1 : out.c / (whole / node.attrs.groups);
  return {static_cast<int>(spec.samples),
          static_cast<int>(in.c),
          static_cast<int>(out.c),
          static_cast<int>(groups),
          axis_of(node.attrs, 0, in.h, out.h),
          axis_of(node.attrs, 1, in.w, out.w)};
}

ConvShape dense_shape(const KernelSpec& spec) {
  const PoolAxis one{1, 1, 1, 1, 0, 0, 1};
  return {static_cast<int>(spec.samples),
          static_cast<int>(spec.input_shapes[0].elems()),
          static_cast<int>(spec.output_shape.c),
          1,
          one,
          one};
}

/// Weights and bias with a batch_norm of running statistics folded into them.
class Folded {
 public:
  Folded(Stream& stream, std::int64_t rows, std::int64_t row, double epsilon)
      : stream_(stream),
        rows_(rows),
        row_(row),
        epsilon_(epsilon),
        memory_(stream.device(), static_cast<std::size_t>(rows * (row + 1)) * sizeof(float),
                "folded weights"),
        fold_(*stream.device(), "fold_norm") {}

  /// params: [weight, (bias,) scale, shift, mean, variance].
  void load(const std::vector<float*>& params) const {
    const bool biased = params.size() == 6;
    float* const* norm = params.data() + (biased ? 2 : 1);
    fold_.run(stream_, rows_,
              {0, static_cast<int>(row_), epsilon_, params[0], biased ? params[1] : nullptr,
               norm[0], norm[1], norm[2], norm[3], weights(), bias()});
  }
  float* weights() const { return reinterpret_cast<float*>(memory_.data()); }
  float* bias() const { return weights() + rows_ * row_; }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  Stream& stream_;
  std::int64_t rows_, row_;
  double epsilon_;
  DeviceBytes memory_;
  PlainEntry<FoldArgs> fold_;
};

class Convolution : public Kernel {
 public:
  Convolution(const KernelSpec& spec, const ConvShape& shape, const Target& target)
      : stream_(target.stream),
        has_bias_(node_of(spec).params.size() > 1),
        weight_elems_(std::int64_t{shape.k} * (shape.c / shape.groups) * shape.rows.kernel *
                      shape.columns.kernel),
        bias_(target, std::int64_t{shape.n} * shape.rows.output * shape.columns.output, shape.k),
        update_(*stream_.device(), "update") {
    const ConvTail tail(spec);
    adds_ = tail.adds;
    if (tail.norm.valid())
      folded_ = std::make_unique<Folded>(stream_, shape.k, weight_elems_ / shape.k,
                                         spec.graph->node(tail.norm).attrs.epsilon);
    passes_ =
        make_conv_passes({shape, tail.has_bias, tail.adds, tail.bounds, true,
                          spec.training && spec.input_gradient, spec.training, spec.accumulate},
                         target);
  }

  std::size_t scratch_bytes() const override {
    return std::max(passes_->scratch_bytes(), has_bias_ ? bias_.scratch_bytes() : 0);
  }
  std::size_t resident_bytes() const override {
    return passes_->resident_bytes() + (folded_ ? folded_->bytes() : 0);
  }

  void load_params(const std::vector<float*>& params) override {
    if (folded_) folded_->load(params);
    passes_->load(folded_ ? folded_->weights() : params[0], bias_of(params));
  }

  void forward(const ForwardArgs& args) override {
    ensure_nhwc(args.inputs[0]);
    passes_->forward(args.inputs[0].data, bias_of(args.params),
                     adds_ ? args.inputs[1].data : nullptr, args.output.data, args.scratch);
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (has_bias_ && args.param_grads[1]) bias_.add(dy, args.param_grads[1], args.scratch);
    // Before the weights change.
    if (dx.data) passes_->data_grad(dy.data, dx.data, args.accumulate[0], args.scratch);
    float* grad = args.param_grads[0];
    if (!grad) return;
    passes_->weight_grad(x.data, dy.data, grad, args.update == nullptr, args.scratch);
    if (args.update) update(args);
  }

 private:
  const float* bias_of(const std::vector<float*>& params) const {
    return folded_ ? folded_->bias() : has_bias_ ? params[1] : nullptr;
  }

  void update(const BackwardArgs& args) const {
    const UpdatePiece piece{
        args.param_grads[0], args.params[0], {args.state[0], args.state[1]}, weight_elems_, false};
    update_.run(stream_, weight_elems_, {0, *args.update, piece, args.step.numbers});
  }

  Stream& stream_;
  bool has_bias_, adds_ = false;
  std::int64_t weight_elems_;
  BiasGrad bias_;
  PlainEntry<UpdateArgs> update_;
  std::unique_ptr<Folded> folded_;
  std::unique_ptr<ConvPasses> passes_;
};

}  // namespace

KernelPtr make_conv(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Convolution>(spec, conv_shape(spec), target);
}

KernelPtr make_dense(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Convolution>(spec, dense_shape(spec), target);
}

}  // namespace hpmp::cuda
