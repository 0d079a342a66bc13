#include "engine/cpu/direct/geometry.h"

#include <cmath>
#include <limits>
#include <string>

#include "engine/cpu/kernels.h"

namespace hpmp::cpu {
namespace {

using tag = memory::format_tag;

constexpr dnnl::algorithm kDirect = dnnl::algorithm::convolution_direct;

/// Adds the tail's operand and holds the sums within its bounds, in the primitive.
dnnl::primitive_attr with_tail(const ConvTail& tail, const memory::desc& dst) {
  constexpr float kMost = std::numeric_limits<float>::infinity();
  const Bounds& b = tail.bounds;
  dnnl::post_ops ops;
  if (tail.adds) ops.append_binary(dnnl::algorithm::binary_add, dst);
  if (b.low == 0 && std::isnan(b.high)) {
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
  } else if (!std::isnan(b.low) || !std::isnan(b.high)) {
    ops.append_eltwise(dnnl::algorithm::eltwise_clip, std::isnan(b.low) ? -kMost : b.low,
                       std::isnan(b.high) ? kMost : b.high);
  }
  dnnl::primitive_attr attr = user_scratchpad();
  attr.set_post_ops(ops);
  return attr;
}

}  // namespace

Activation::Activation(std::int64_t n, const Shape& shape, std::int64_t block, DType type)
    : dims{n, shape.c, shape.h, shape.w}, dtype(type) {
  if (block == 16) tags.push_back(tag::nChw16c);
  if (block == 8) tags.push_back(tag::nChw8c);
  if (block == shape.c || shape.h * shape.w == 1) tags.push_back(tag::nhwc);
  if (block == 1 || shape.h * shape.w == 1) tags.push_back(tag::nchw);
  if (tags.empty()) {
    fail(ErrorCode::internal, "internal error: no layout has " + std::to_string(block) + " of " +
                                  std::to_string(shape.c) + " channels in a block");
  }
}

Geometry::Geometry(const KernelSpec& spec, const ConvTail& tail)
    : src(spec.samples, spec.input_shapes[0], input_block(spec), spec.dtype),
      dst(spec.samples, spec.output_shape, output_block(spec), spec.dtype) {
  const Node& node = node_of(spec);
  const Param& weight = spec.graph->param(node.params[0]);
  const Attrs& attrs = node.attrs;
  const std::int64_t rows = spec.output_shape.c;
  const std::int64_t groups = attrs.groups == 1 ? 1 : rows / (weight.rows() / attrs.groups);
  ensure(groups > 0 && rows % groups == 0 && groups * weight.dims[1] == spec.input_shapes[0].c,
         "a convolution computes whole groups from all of their input channels");
  weight_dims_ = {rows, weight.dims[1], attrs.kernel[0], attrs.kernel[1]};
  if (attrs.groups > 1)
    weight_dims_ = {groups, rows / groups, weight.dims[1], attrs.kernel[0], attrs.kernel[1]};
  if (tail.has_bias) bias = describe({rows}, tag::a);
  strides_ = {attrs.strides[0], attrs.strides[1]};
  dilations_ = {attrs.dilations[0] - 1, attrs.dilations[1] - 1};
  before_ = {attrs.pads[0], attrs.pads[1]};
  after_ = {attrs.pads[2], attrs.pads[3]};
}

memory::desc Geometry::plain_weights() const {
  return describe(weight_dims_, weight_dims_.size() == 5 ? tag::goihw : tag::oihw);
}

ForwardDesc Geometry::forward(const ConvTail& tail) const {
  const dnnl::primitive_attr attr = with_tail(tail, dst.desc());
  return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
    return ForwardDesc(cpu_engine(), dnnl::prop_kind::forward_training, kDirect, s,
                       any_weights(src.dtype), bias, d, strides_, dilations_, before_, after_, attr,
                       true);
  });
}

DataDesc Geometry::backward_data(const ForwardDesc& hint) const {
  return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
    return DataDesc(cpu_engine(), kDirect, s, any_weights(src.dtype), d, strides_, dilations_,
                    before_, after_, hint, user_scratchpad(), true);
  });
}

WeightsDesc Geometry::backward_weights(const ForwardDesc& hint) const {
  return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
    return WeightsDesc(cpu_engine(), kDirect, s, any_weights(DType::fp32), bias, d, strides_,
                       dilations_, before_, after_, hint, user_scratchpad(), true);
  });
}

}  // namespace hpmp::cpu
