// Shape rules: the output's shape, and every attribute and operand checked against it.
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
  return windowed(graph, node, weight.rows());
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
  if (node.op == OpKind::affine) count = (a.has_scale ? 1U : 0U) + (a.has_shift ? 1U : 0U);
  if (node.op == OpKind::prelu) count = 1;
  const bool shared = count == 1 && graph.param(node.params.at(0)).rows() == 1;
  expect_params(graph, node, count, count, node.op == OpKind::prelu && shared ? 1 : channels);
}

/// The rules of `alpha` and `beta` that its backward pass by the output relies on.
void check_function(const Node& node) {
  const Attrs& a = node.attrs;
  const bool leaky = node.op == OpKind::leaky_relu || node.op == OpKind::elu;
  if (leaky && !(a.alpha >= 0)) reject(node, "alpha " + real_text(a.alpha) + " must be at least 0");
  if (node.op == OpKind::selu && !(a.alpha > 0 && a.beta > 0)) {
    reject(node,
           "alpha " + real_text(a.alpha) + " and gamma " + real_text(a.beta) + " must be above 0");
  }
  if (node.op == OpKind::celu && !(a.alpha > 0))
    reject(node, "alpha " + real_text(a.alpha) + " must be above 0");
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
      return conv_shape(graph, node);
    case OpKind::dense:
      return dense_shape(graph, node);
    case OpKind::max_pool:
    case OpKind::average_pool:
      expect_inputs(node, 1);
      return windowed(graph, node, graph.shape(node.inputs[0]).c);
    case OpKind::global_average_pool:
      expect_inputs(node, 1);
      return {graph.shape(node.inputs[0]).c, 1, 1};
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
    case OpKind::loss: {
      expect_inputs(node, 1);
      const Shape& in = graph.shape(node.inputs[0]);
      if (in.h != 1 || in.w != 1)
        reject(node, "logits of shape " + text(in) + "; the loss takes one score per class");
      return {2, 1, 1};
    }
    default:
      return local_shape(graph, node);
  }
}

}  // namespace hpmp
