// Shape rules: the output's shape, and every attribute and operand checked against it.
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/numbers.h"
#include "graph/ops.h"

namespace hpmp {
namespace {

[[noreturn]] void reject(const Node& node, const std::string& why) {
  fail(ErrorCode::invalid_model,
       "node '" + node.name + "' (" + op_info(node.op).name + "): " + why);
}

std::string text(const Shape& s) {
  return std::to_string(s.c) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w);
}

void expect_inputs(const Node& node, std::size_t count) {
  if (node.inputs.size() != count) {
    reject(node, "has " + std::to_string(node.inputs.size()) + " inputs; it takes " +
                     std::to_string(count));
  }
}

void expect_params(const Graph& graph, const Node& node, std::size_t least, std::size_t most,
                   std::int64_t rows) {
  if (node.params.size() < least || node.params.size() > most) {
    reject(node, "has " + std::to_string(node.params.size()) + " parameters; it takes " +
                     std::to_string(least) + " to " + std::to_string(most));
  }
  for (ParamId p : node.params) {
    const Param& param = graph.param(p);
    if (param.rows() != rows) {
      reject(node, "parameter '" + param.name + "' has " + std::to_string(param.rows()) +
                       " rows; the output has " + std::to_string(rows) + " channels");
    }
  }
}

std::int64_t window_extent(const Node& node, std::int64_t in, int axis, bool ceil_mode) {
  const Attrs& a = node.attrs;
  const auto i = static_cast<std::size_t>(axis);
  if (a.kernel[i] < 1 || a.strides[i] < 1 || a.dilations[i] < 1) {
    reject(node, "kernel, strides and dilations must be at least 1");
  }
  if (a.pads[i] < 0 || a.pads[i + 2] < 0) reject(node, "negative pads; crop before the node");
  constexpr std::int64_t kMost = 1 << 20;
  if (a.kernel[i] > kMost || a.strides[i] > kMost || a.dilations[i] > kMost || a.pads[i] > kMost ||
      a.pads[i + 2] > kMost) {
    reject(node, "a kernel, stride, dilation or pad above 2^20");
  }
  const std::int64_t reach = (a.kernel[i] - 1) * a.dilations[i] + 1;
  const std::int64_t room = in + a.pads[i] + a.pads[i + 2] - reach;
  if (room < 0) {
    reject(node, "window of " + std::to_string(reach) + " is larger than the padded input of " +
                     std::to_string(in + a.pads[i] + a.pads[i + 2]) + "; use a larger image");
  }
  std::int64_t out = room / a.strides[i] + 1;
  if (ceil_mode && room % a.strides[i] != 0) ++out;
  // The last window must start inside the input or its leading padding.
  if (ceil_mode && (out - 1) * a.strides[i] >= in + a.pads[i]) --out;
  return out;
}

Shape windowed(const Graph& graph, const Node& node, std::int64_t channels) {
  const Shape& in = graph.shape(node.inputs[0]);
  const bool ceil_mode = node.op != OpKind::conv && node.attrs.ceil_mode;
  return {channels, window_extent(node, in.h, 0, ceil_mode),
          window_extent(node, in.w, 1, ceil_mode)};
}

/// The extent of a transposed convolution: that of a convolution's input with such an output.
std::int64_t transposed_extent(const Node& node, std::int64_t in, std::size_t axis) {
  const Attrs& a = node.attrs;
  constexpr std::int64_t kMost = 1 << 20;
  for (std::int64_t number : {a.kernel[axis], a.strides[axis], a.dilations[axis]}) {
    if (number < 1 || number > kMost)
      reject(node, "kernel, strides and dilations must be from 1 to 2^20");
  }
  const std::int64_t before = a.pads[axis], after = a.pads[axis + 2];
  if (before < 0 || before > kMost || after > kMost || after <= -a.strides[axis]) {
    reject(node, "pads must be from 0 to 2^20, those at the end above -stride");
  }
  const std::int64_t out =
      (in - 1) * a.strides[axis] + (a.kernel[axis] - 1) * a.dilations[axis] + 1 - before - after;
  if (out < 1) reject(node, "pads leave nothing of its output; use smaller pads");
  return out;
}

Shape conv_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  if (node.params.empty()) reject(node, "has no weight");
  const Param& weight = graph.param(node.params[0]);
  const Shape& in = graph.shape(node.inputs[0]);
  const std::int64_t groups = node.attrs.groups;
  if (groups < 1 || in.c % groups != 0 || weight.rows() % groups != 0) {
    reject(node, "groups " + std::to_string(groups) + " does not divide " + std::to_string(in.c) +
                     " input and " + std::to_string(weight.rows()) + " output channels");
  }
  const std::vector<std::int64_t> expected{weight.rows(), in.c / groups, node.attrs.kernel[0],
                                           node.attrs.kernel[1]};
  if (weight.dims != expected) {
    reject(node, "weight '" + weight.name + "' does not fit: expected " +
                     std::to_string(in.c / groups) + " input channels per group and kernel " +
                     std::to_string(node.attrs.kernel[0]) + "x" +
                     std::to_string(node.attrs.kernel[1]));
  }
  expect_params(graph, node, 1, 2, weight.rows());
  if (node.op == OpKind::conv_transpose)
    return {weight.rows(), transposed_extent(node, in.h, 0), transposed_extent(node, in.w, 1)};
  return windowed(graph, node, weight.rows());
}

/// What keeps the taps of a resampling few.
void check_sampling(const Node& node, const Sampling& s, std::int64_t extent) {
  constexpr double kMost = 1 << 24;
  for (double number : {s.shift, s.step, s.scale, s.offset}) {
    if (!(std::abs(number) <= kMost)) reject(node, "sampling by a number above 2^24");
  }
  if (extent < 1 || extent > 1 << 20) reject(node, "extent must be from 1 to 2^20");
  if (!(std::abs(s.step / s.scale) * static_cast<double>(extent) <= kMost))
    reject(node, "sampling over more than 2^24 pixels");
}

Shape resample_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  expect_params(graph, node, 0, 0, 0);
  const Attrs& a = node.attrs;
  check_sampling(node, a.rows, a.extent[0]);
  check_sampling(node, a.columns, a.extent[1]);
  return {graph.shape(node.inputs[0]).c, a.extent[0], a.extent[1]};
}

Shape blocked_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  expect_params(graph, node, 0, 0, 0);
  const Shape& in = graph.shape(node.inputs[0]);
  const std::int64_t b = node.attrs.block;
  if (b < 1 || b > 1 << 10) reject(node, "block must be from 1 to 2^10");
  const bool deep = node.op == OpKind::depth_to_space;
  if (deep ? in.c % (b * b) != 0 : in.h % b != 0 || in.w % b != 0)
    reject(node, "blocks of " + std::to_string(b) + " do not divide " + text(in));
  return deep ? Shape{in.c / (b * b), in.h * b, in.w * b} : Shape{in.c * b * b, in.h / b, in.w / b};
}

/// The logits' classes and pixels; the labels are one number per pixel.
Shape loss_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  const Shape& in = graph.shape(node.inputs[0]);
  if (!(node.attrs.weight > 0 && node.attrs.weight <= 1e6))
    reject(node, "weight " + real_text(node.attrs.weight) + " must be above 0 and at most 10^6");
  return {in.h * in.w == 1 ? 2 : 2 + 3 * in.c, 1, 1};
}

Shape dense_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  if (node.params.empty()) reject(node, "has no weight");
  const Param& weight = graph.param(node.params[0]);
  const Shape& in = graph.shape(node.inputs[0]);
  if (in.h != 1 || in.w != 1)
    reject(node, "input " + text(in) + " is not flat; put a Flatten before it");
  if (weight.dims.size() != 2 || weight.dims[1] != in.c) {
    reject(node,
           "weight '" + weight.name + "' does not take " + std::to_string(in.c) + " features");
  }
  expect_params(graph, node, 1, 2, weight.rows());
  return {weight.rows(), 1, 1};
}

Shape same_shape(const Graph& graph, const Node& node) {
  if (node.inputs.empty()) reject(node, "has no input");
  const Shape& first = graph.shape(node.inputs[0]);
  for (ValueId v : node.inputs) {
    if (!(graph.shape(v) == first)) {
      reject(node,
             "inputs of shapes " + text(first) + " and " + text(graph.shape(v)) + " do not align");
    }
  }
  return first;
}

Shape concat_shape(const Graph& graph, const Node& node) {
  if (node.inputs.empty()) reject(node, "has no input");
  Shape out = graph.shape(node.inputs[0]);
  out.c = 0;
  for (ValueId v : node.inputs) {
    const Shape& s = graph.shape(v);
    if (s.h != out.h || s.w != out.w) reject(node, "inputs differ in height or width");
    out.c += s.c;
  }
  return out;
}

Shape slice_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  Shape out = graph.shape(node.inputs[0]);
  const Range r = node.attrs.range;
  if (r.empty() || r.begin < 0 || r.end > out.c) {
    reject(node, "range [" + std::to_string(r.begin) + ", " + std::to_string(r.end) +
                     ") is not within " + std::to_string(out.c) + " channels");
  }
  out.c = r.size();
  return out;
}

/// Of two operands, one of which may have a single pixel.
Shape scaled_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 2);
  const Shape &a = graph.shape(node.inputs[0]), &b = graph.shape(node.inputs[1]);
  const bool scales = a.c == b.c && (a.h * a.w == 1 || b.h * b.w == 1);
  if (!scales) return same_shape(graph, node);
  return b.h * b.w == 1 ? a : b;
}

void expect_own_params(const Graph& graph, const Node& node, std::int64_t channels) {
  const Attrs& a = node.attrs;
  std::size_t count = 0;
  if (node.op == OpKind::batch_norm) count = 4;
  if (node.op == OpKind::affine || node.op == OpKind::layer_norm)
    count = (a.has_scale ? 1U : 0U) + (a.has_shift ? 1U : 0U);
  if (node.op == OpKind::prelu) count = 1;
  const bool shared = node.op == OpKind::prelu && node.params.size() == 1 &&
                      graph.param(node.params[0]).rows() == 1;
  expect_params(graph, node, count, count, shared ? 1 : channels);
}

/// The rules of `alpha` and `beta` that its backward pass by the output relies on.
void check_function(const Node& node) {
  const Attrs& a = node.attrs;
  const bool leaky = node.op == OpKind::leaky_relu || node.op == OpKind::elu;
  if (leaky && !(a.alpha >= 0)) reject(node, "alpha " + real_text(a.alpha) + " must be at least 0");
  const bool selu = node.op == OpKind::selu, scaled = selu || node.op == OpKind::celu;
  if (scaled && !(a.alpha > 0)) reject(node, "alpha " + real_text(a.alpha) + " must be above 0");
  if (selu && !(a.beta > 0)) reject(node, "gamma " + real_text(a.beta) + " must be above 0");
}

Shape local_shape(const Graph& graph, const Node& node) {
  expect_inputs(node, 1);
  const Shape& in = graph.shape(node.inputs[0]);
  const Attrs& a = node.attrs;
  expect_own_params(graph, node, in.c);
  check_function(node);
  if (node.op == OpKind::dropout && !(a.ratio >= 0 && a.ratio < 1))
    reject(node, "ratio must be in [0, 1)");
  if (node.op == OpKind::clip && !(a.min <= a.max)) {
    reject(node, "min " + real_text(a.min) + " must be at most max " + real_text(a.max));
  }
  if (node.op == OpKind::lrn && a.size < 1) reject(node, "size must be at least 1");
  if (node.op == OpKind::channel_shuffle && (a.groups < 1 || in.c % a.groups != 0)) {
    reject(node, "groups do not divide the channels");
  }
  return in;
}

}  // namespace

Shape infer_shape(const Graph& graph, const Node& node) {
  switch (node.op) {
    case OpKind::input:
      reject(node, "an input's shape is given, not inferred");
    case OpKind::conv:
    case OpKind::conv_transpose:
      return conv_shape(graph, node);
    case OpKind::depth_to_space:
    case OpKind::space_to_depth:
      return blocked_shape(graph, node);
    case OpKind::dense:
      return dense_shape(graph, node);
    case OpKind::max_pool:
    case OpKind::average_pool:
      expect_inputs(node, 1);
      return windowed(graph, node, graph.shape(node.inputs[0]).c);
    case OpKind::global_average_pool:
      expect_inputs(node, 1);
      return {graph.shape(node.inputs[0]).c, 1, 1};
    case OpKind::resample:
      return resample_shape(graph, node);
    case OpKind::mul:
      return scaled_shape(graph, node);
    case OpKind::add:
    case OpKind::max:
    case OpKind::min:
      return same_shape(graph, node);
    case OpKind::concat:
      return concat_shape(graph, node);
    case OpKind::slice:
      return slice_shape(graph, node);
    case OpKind::flatten:
      expect_inputs(node, 1);
      return {graph.shape(node.inputs[0]).elems(), 1, 1};
    case OpKind::loss:
      return loss_shape(graph, node);
    default:
      return local_shape(graph, node);
  }
}

}  // namespace hpmp
