// conv_transpose: a convolution from its output to its input, whose passes change roles: forward is
// the gradient of that one's input, and backward its forward pass.
#include <algorithm>

#include "engine/cuda/bias_grad.h"
#include "engine/cuda/conv_passes.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/channels.h"
#include "engine/cuda/kernels/layout.h"
#include "engine/cuda/pool_axis.h"
#include "engine/cuda/sum_operands.h"

namespace hpmp::cuda {
namespace {

/// Of the convolution whose input is our output.
ConvShape mirrored_shape(const KernelSpec& spec) {
  const Node& node = node_of(spec);
  const Shape &in = spec.input_shapes[0], &out = spec.output_shape;
  const Param& weight = spec.graph->param(node.params[0]);
  const std::int64_t groups =
      node.attrs.groups == 1 ? 1 : out.c / (weight.rows() / node.attrs.groups);
  ensure(groups > 0 && out.c % groups == 0 && groups * weight.dims[1] == in.c,
         "a transposed convolution computes whole groups from all of their input channels");
  return {static_cast<int>(spec.samples),
          static_cast<int>(out.c),
          static_cast<int>(in.c),
          static_cast<int>(groups),
          axis_of(node.attrs, 0, out.h, in.h),
          axis_of(node.attrs, 1, out.w, in.w)};
}

class ConvTranspose : public Kernel {
 public:
  ConvTranspose(const KernelSpec& spec, const ConvShape& mirror, const Target& target)
      : stream_(target.stream),
        shape_(mirror),
        has_bias_(node_of(spec).params.size() > 1),
        none_(bounds_of(spec, NodeId())),
        filter_(stream_.device(), static_cast<std::size_t>(weights()) * sizeof(float),
                "a transposed filter"),
        bias_(target, std::int64_t{mirror.n} * mirror.rows.input * mirror.columns.input, mirror.c),
        swap_(*stream_.device(), "swap_filter"),
        finish_(*stream_.device(), "finish_conv", target.storage),
        sum_(target) {
    if (spec.training && spec.input_gradient && spec.accumulate)
      added_bytes_ = static_cast<std::size_t>(spec.samples * spec.input_shapes[0].elems() *
                                              elem_bytes(target.storage));
    passes_ = make_conv_passes(
        {mirror, false, false, none_, spec.training && spec.input_gradient, true, spec.training},
        target);
  }

  std::size_t scratch_bytes() const override {
    return std::max(own_scratch() + passes_->scratch_bytes(), bias_.scratch_bytes());
  }
  std::size_t resident_bytes() const override {
    return passes_->resident_bytes() + filter_.bytes();
  }

  void load_params(const std::vector<float*>& params) override {
    swap(rows(), columns(), params[0], floats(filter_.data()), false);
    passes_->load(floats(filter_.data()), nullptr);
  }

  void forward(const ForwardArgs& args) override {
    const TensorRef& y = args.output;
    ensure_nhwc(args.inputs[0]);
    passes_->data_grad(args.inputs[0].data, y.data, false, args.scratch);
    if (!has_bias_) return;
    finish_.run(stream_, y.elems(), y.c, {y.data, args.params[1]},
                {0, static_cast<int>(y.c), none_.low, none_.high, args.params[1], nullptr, y.data});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (has_bias_ && args.param_grads[1]) bias_.add(dy, args.param_grads[1], args.scratch);
    if (args.param_grads[0]) weight_grad(x, dy, args.param_grads[0], args.scratch);
    if (dx.data) data_grad(dy, dx, args.accumulate[0], args.scratch);
  }

 private:
  /// The mirror's gradient, then added to ours.
  void weight_grad(const TensorRef& x, const TensorRef& dy, float* grad, std::byte* scratch) const {
    passes_->weight_grad(dy.data, x.data, floats(scratch), false, scratch + own_scratch());
    swap(columns(), rows(), floats(scratch), grad, true);
  }

  void data_grad(const TensorRef& dy, const TensorRef& dx, bool accumulate,
                 std::byte* scratch) const {
    TensorRef to = dx;
    if (accumulate) to.data = scratch;
    passes_->forward(dy.data, nullptr, nullptr, to.data, scratch + own_scratch());
    if (accumulate) sum_.copy(to, dx, true);
  }

  void swap(int rows, int columns, const float* from, float* to, bool accumulate) const {
    swap_.run(stream_, weights(), {0, rows, columns, taps(), from, to, accumulate});
  }

  static float* floats(std::byte* bytes) { return reinterpret_cast<float*>(bytes); }
  /// Of one group: output channels, and input channels.
  int rows() const { return shape_.c / shape_.groups; }
  int columns() const { return shape_.k / shape_.groups; }
  int taps() const { return shape_.rows.kernel * shape_.columns.kernel; }
  std::int64_t weights() const { return std::int64_t{shape_.c} * columns() * taps(); }
  /// Of the mirror's gradient of the filter, and of what is added to that of the input.
  std::size_t own_scratch() const {
    return (std::max(filter_.bytes(), added_bytes_) + 255) / 256 * 256;
  }

  Stream& stream_;
  ConvShape shape_;
  bool has_bias_;
  Bounds none_;
  DeviceBytes filter_;
  BiasGrad bias_;
  PlainEntry<SwapFilterArgs> swap_;
  WideEntry<FinishArgs> finish_;
  SumOperands sum_;
  std::size_t added_bytes_ = 0;
  std::unique_ptr<ConvPasses> passes_;
};

}  // namespace

KernelPtr make_conv_transpose(const KernelSpec& spec, const Target& target) {
  return std::make_unique<ConvTranspose>(spec, mirrored_shape(spec), target);
}

}  // namespace hpmp::cuda
