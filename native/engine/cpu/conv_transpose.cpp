// conv_transpose: oneDNN's deconvolution, whose weights have the order of a convolution's.
#include <algorithm>
#include <string>

#include "engine/cpu/direct/geometry.h"
#include "engine/cpu/kernels.h"

namespace hpmp::cpu {

namespace {

using tag = memory::format_tag;
using Forward = dnnl::deconvolution_forward;
using BackwardData = dnnl::deconvolution_backward_data;
using BackwardWeights = dnnl::deconvolution_backward_weights;

constexpr dnnl::algorithm kDirect = dnnl::algorithm::deconvolution_direct;

/// Shapes and layouts of a rank's part, and the fastest primitive for each pass.
struct Shapes {
  explicit Shapes(const KernelSpec& spec)
      : src(spec.samples, spec.input_shapes[0], input_block(spec), spec.dtype),
        dst(spec.samples, spec.output_shape, output_block(spec), spec.dtype) {
    const Node& node = node_of(spec);
    const Param& weight = spec.graph->param(node.params[0]);
    const Attrs& attrs = node.attrs;
    const std::int64_t rows = spec.output_shape.c, each = weight.dims[1];
    const std::int64_t groups = attrs.groups == 1 ? 1 : rows / (weight.rows() / attrs.groups);
    ensure(groups > 0 && rows % groups == 0 && groups * each == spec.input_shapes[0].c,
           "a transposed convolution computes whole groups from all of their input channels");
    weights = {rows, each, attrs.kernel[0], attrs.kernel[1]};
    if (attrs.groups > 1) weights = {groups, rows / groups, each, attrs.kernel[0], attrs.kernel[1]};
    if (node.params.size() > 1) bias = describe({rows}, tag::a);
    strides = {attrs.strides[0], attrs.strides[1]};
    dilations = {attrs.dilations[0] - 1, attrs.dilations[1] - 1};
    before = {attrs.pads[0], attrs.pads[1]};
    after = {attrs.pads[2], attrs.pads[3]};
  }

  memory::desc plain_weights() const {
    return describe(weights, weights.size() == 5 ? tag::goihw : tag::oihw);
  }
  memory::desc any_weights(DType dtype) const { return describe(weights, tag::any, dtype); }

  Forward::primitive_desc forward() const {
    return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
      return Forward::primitive_desc(cpu_engine(), dnnl::prop_kind::forward_training, kDirect, s,
                                     any_weights(src.dtype), bias, d, strides, dilations, before,
                                     after, user_scratchpad(), true);
    });
  }
  BackwardData::primitive_desc backward_data(const Forward::primitive_desc& hint) const {
    return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
      return BackwardData::primitive_desc(cpu_engine(), kDirect, s, any_weights(src.dtype), d,
                                          strides, dilations, before, after, hint,
                                          user_scratchpad(), true);
    });
  }
  BackwardWeights::primitive_desc backward_weights(const Forward::primitive_desc& hint) const {
    return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
      return BackwardWeights::primitive_desc(cpu_engine(), kDirect, s, any_weights(DType::fp32),
                                             bias, d, strides, dilations, before, after, hint,
                                             user_scratchpad(), true);
    });
  }

  Activation src, dst;
  memory::desc bias;  // empty where there is none
  memory::dims weights, strides, dilations, before, after;
};

class ConvTranspose : public Kernel {
 public:
  explicit ConvTranspose(const KernelSpec& spec)
      : stream_(cpu_engine()), biased_(node_of(spec).params.size() > 1) {
    const Shapes shapes(spec);
    const Forward::primitive_desc hint = shapes.forward();
    prepare_forward(shapes, hint);
    if (!spec.training) return;
    prepare_weights(shapes, shapes.backward_weights(hint));
    if (spec.input_gradient) prepare_data(shapes, shapes.backward_data(hint), spec.accumulate);
  }

  std::size_t scratch_bytes() const override {
    return std::max({forward_.scratch_bytes(), data_.scratch_bytes(), params_.scratch_bytes()});
  }
  std::size_t resident_bytes() const override {
    return forward_weights_.bytes() + data_weights_.bytes();
  }
  void load_params(const std::vector<float*>& params) override {
    forward_weights_.load(stream_, params[0]);
    if (data_weights_.bytes() > 0) data_weights_.load(stream_, params[0]);
  }

  void forward(const ForwardArgs& args) override {
    float* bias = biased_ ? args.params[1] : nullptr;
    forward_.run(stream_, {args.inputs[0].data, args.output.data, bias}, args.scratch, false);
  }

  void backward(const BackwardArgs& args) override {
    void* dy = args.grad_output.data;
    float* bias = biased_ ? args.param_grads[1] : nullptr;
    if (args.param_grads[0] || bias)
      params_.run(stream_, {args.inputs[0].data, dy, args.param_grads[0], bias}, args.scratch,
                  true);
    if (void* dx = args.grad_inputs[0].data)
      data_.run(stream_, {dy, dx}, args.scratch, args.accumulate[0]);
  }

 private:
  void prepare_forward(const Shapes& s, const Forward::primitive_desc& pd) {
    forward_weights_ = HeldWeights(s.plain_weights(), pd.weights_desc());
    forward_.add(DNNL_ARG_SRC, s.src.desc(), pd.src_desc(), Operand::kRead);
    forward_.add(DNNL_ARG_DST, s.dst.desc(), pd.dst_desc(), Operand::kWrite);
    if (biased_) forward_.add(DNNL_ARG_BIAS, s.bias, s.bias, Operand::kRead);
    forward_.hold(DNNL_ARG_WEIGHTS, forward_weights_.held);
    forward_.prepare<Forward>(pd);
  }

  void prepare_data(const Shapes& s, const BackwardData::primitive_desc& pd, bool accumulates) {
    data_weights_ = HeldWeights(s.plain_weights(), pd.weights_desc());
    data_.add(DNNL_ARG_DIFF_DST, s.dst.desc(), pd.diff_dst_desc(), Operand::kRead);
    data_.add(DNNL_ARG_DIFF_SRC, s.src.desc(), pd.diff_src_desc(), Operand::kWrite, accumulates);
    data_.hold(DNNL_ARG_WEIGHTS, data_weights_.held);
    data_.prepare<BackwardData>(pd);
  }

  void prepare_weights(const Shapes& s, const BackwardWeights::primitive_desc& pd) {
    params_.add(DNNL_ARG_SRC, s.src.desc(), pd.src_desc(), Operand::kRead);
    params_.add(DNNL_ARG_DIFF_DST, s.dst.desc(), pd.diff_dst_desc(), Operand::kRead);
    params_.add(DNNL_ARG_DIFF_WEIGHTS, s.plain_weights(), pd.diff_weights_desc(), Operand::kWrite,
                true);
    if (biased_) params_.add(DNNL_ARG_DIFF_BIAS, s.bias, s.bias, Operand::kWrite, true);
    params_.prepare<BackwardWeights>(pd);
  }

  dnnl::stream stream_;
  bool biased_;
  HeldWeights forward_weights_, data_weights_;
  Pass forward_, data_, params_;
};

}  // namespace

KernelPtr make_conv_transpose(const KernelSpec& spec) {
  try {
    return std::make_unique<ConvTranspose>(spec);
  } catch (const dnnl::error& e) {
    fail(ErrorCode::device_error, "cannot prepare node '" + node_of(spec).name +
                                      "' (ConvTranspose): oneDNN refuses its shape: " + e.what());
  }
}

}  // namespace hpmp::cpu
