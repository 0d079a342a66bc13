// The op table's rows and the rules that hold for every op.
#include "graph/ops.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp {
namespace {

using C = ChannelClass;

// kind, name, channels, backward reads input, output, in place, gradient in place
constexpr OpInfo kTable[] = {
    {OpKind::input, "Input", C::all, false, false, false, false},
    {OpKind::conv, "Conv", C::mixing, true, false, false, false},
    {OpKind::conv_transpose, "ConvTranspose", C::mixing, true, false, false, false},
    {OpKind::dense, "Dense", C::mixing, true, false, false, false},
    {OpKind::batch_norm, "BatchNormalization", C::local, true, false, false, true},
    {OpKind::affine, "Affine", C::local, true, false, false, true},
    {OpKind::relu, "Relu", C::local, false, true, true, true},
    {OpKind::clip, "Clip", C::local, false, true, true, true},
    {OpKind::sigmoid, "Sigmoid", C::local, false, true, true, true},
    {OpKind::hard_sigmoid, "HardSigmoid", C::local, false, true, true, true},
    {OpKind::hard_swish, "HardSwish", C::local, true, false, false, true},
    {OpKind::silu, "Silu", C::local, true, false, false, true},
    {OpKind::leaky_relu, "LeakyRelu", C::local, false, true, true, true},
    {OpKind::elu, "Elu", C::local, false, true, true, true},
    {OpKind::selu, "Selu", C::local, false, true, true, true},
    {OpKind::celu, "Celu", C::local, true, false, false, true},
    {OpKind::tanh, "Tanh", C::local, false, true, true, true},
    {OpKind::softplus, "Softplus", C::local, true, false, false, true},
    {OpKind::softsign, "Softsign", C::local, false, true, true, true},
    {OpKind::gelu, "Gelu", C::local, true, false, false, true},
    {OpKind::mish, "Mish", C::local, true, false, false, true},
    {OpKind::erf, "Erf", C::local, true, false, false, true},
    {OpKind::exp, "Exp", C::local, false, true, true, true},
    {OpKind::log, "Log", C::local, true, false, false, true},
    {OpKind::sqrt, "Sqrt", C::local, false, true, true, true},
    {OpKind::abs, "Abs", C::local, true, false, false, true},
    {OpKind::neg, "Neg", C::local, false, false, true, true},
    {OpKind::reciprocal, "Reciprocal", C::local, false, true, true, true},
    {OpKind::pow, "Pow", C::local, true, false, false, true},
    {OpKind::prelu, "PRelu", C::local, true, false, false, true},
    {OpKind::mul, "Mul", C::aligned, true, false, false, false},
    {OpKind::max, "Max", C::aligned, true, false, false, false},
    {OpKind::min, "Min", C::aligned, true, false, false, false},
    {OpKind::max_pool, "MaxPool", C::local, false, false, false, false},
    {OpKind::average_pool, "AveragePool", C::local, false, false, false, false},
    {OpKind::global_average_pool, "GlobalAveragePool", C::local, false, false, false, false},
    {OpKind::resample, "Resample", C::local, false, false, false, false},
    {OpKind::add, "Add", C::aligned, false, false, true, true},
    {OpKind::dropout, "Dropout", C::local, false, false, true, true},
    {OpKind::lrn, "LRN", C::neighbour, true, true, false, false},
    {OpKind::layer_norm, "LayerNormalization", C::all, true, false, false, false},
    {OpKind::softmax, "Softmax", C::all, false, true, false, false},
    {OpKind::log_softmax, "LogSoftmax", C::all, false, true, false, false},
    {OpKind::depth_to_space, "DepthToSpace", C::mixing, false, false, false, false},
    {OpKind::space_to_depth, "SpaceToDepth", C::mixing, false, false, false, false},
    {OpKind::loss, "Loss", C::all, true, false, false, false},
    {OpKind::output, "Output", C::all, false, false, false, false},
    {OpKind::concat, "Concat", C::index_map, false, false, false, false},
    {OpKind::slice, "Slice", C::index_map, false, false, false, false},
    {OpKind::channel_shuffle, "ChannelShuffle", C::index_map, false, false, false, false},
    {OpKind::flatten, "Flatten", C::index_map, false, false, false, false},
    {OpKind::identity, "Identity", C::index_map, false, false, false, false},
};

bool is_windowed(OpKind op) {
  return op == OpKind::conv || op == OpKind::max_pool || op == OpKind::average_pool;
}

/// Whether an output row may depend on any row of the input.
bool mixes_rows(OpKind op) { return op == OpKind::global_average_pool || op == OpKind::resample; }

/// Input rows that output rows `h` read, clipped to the input.
Range window_rows(const Attrs& a, Range h, std::int64_t input_h) {
  const std::int64_t first = h.begin * a.strides[0] - a.pads[0];
  const std::int64_t last =
      (h.end - 1) * a.strides[0] - a.pads[0] + (a.kernel[0] - 1) * a.dilations[0];
  return intersect(Range{first, last + 1}, Range{0, input_h});
}

/// Groups of channels that a mixing op mixes each for itself.
std::int64_t channel_groups(const Graph& graph, const Node& node) {
  switch (node.op) {
    case OpKind::conv:
    case OpKind::conv_transpose:
      return node.attrs.groups;
    case OpKind::depth_to_space:
      return graph.shape(node.output).c;
    case OpKind::space_to_depth:
      return graph.shape(node.inputs[0]).c;
    default:
      return 1;
  }
}

Range mixed_channels(const Graph& graph, const Node& node, Range c) {
  const std::int64_t groups = channel_groups(graph, node);
  const std::int64_t in = graph.shape(node.inputs[0]).c / groups;
  const std::int64_t out = graph.shape(node.output).c / groups;
  return {c.begin / out * in, ((c.end - 1) / out + 1) * in};
}

double region_elems(const Graph& graph, const Node& node, const Region& r) {
  return static_cast<double>(r.n.size() * r.c.size() * r.h.size() * graph.shape(node.output).w);
}

double row_elems(const Graph& graph, const Node& node) {
  return node.params.empty() ? 0.0 : static_cast<double>(graph.param(node.params[0]).row_elems());
}

/// Floating-point operations per output element, forward and backward.
struct Work {
  double forward, backward;
};

Work work_per_element(const Graph& graph, const Node& node) {
  const double window = static_cast<double>(node.attrs.kernel[0] * node.attrs.kernel[1]);
  switch (node.op) {
    case OpKind::conv:
    case OpKind::dense: {
      const double macs = row_elems(graph, node);
      return {2 * macs, 4 * macs};
    }
    case OpKind::conv_transpose: {
      const Shape &in = graph.shape(node.inputs[0]), &out = graph.shape(node.output);
      const double macs = row_elems(graph, node) * static_cast<double>(in.h * in.w) /
                          static_cast<double>(out.h * out.w);
      return {2 * macs, 4 * macs};
    }
    case OpKind::batch_norm:
      return {5, 8};
    case OpKind::affine:
    case OpKind::prelu:
    case OpKind::mul:
    case OpKind::hard_sigmoid:
    case OpKind::leaky_relu:
    case OpKind::hard_swish:
      return {2, 4};
    case OpKind::sigmoid:
    case OpKind::elu:
    case OpKind::selu:
    case OpKind::celu:
    case OpKind::tanh:
    case OpKind::exp:
    case OpKind::log:
    case OpKind::softplus:
    case OpKind::pow:
      return {12, 4};
    case OpKind::silu:
    case OpKind::gelu:
    case OpKind::mish:
    case OpKind::erf:
      return {16, 20};
    case OpKind::max_pool:
    case OpKind::average_pool:
      return {window, window};
    case OpKind::global_average_pool: {
      const Shape& in = graph.shape(node.inputs[0]);
      return {static_cast<double>(in.h * in.w), static_cast<double>(in.h * in.w)};
    }
    case OpKind::resample: {
      const auto taps = 4.0 * static_cast<double>(node.attrs.interpolation) + 1;
      return {taps, taps};
    }
    case OpKind::lrn:
      return {static_cast<double>(2 * node.attrs.size + 10),
              static_cast<double>(4 * node.attrs.size + 10)};
    case OpKind::layer_norm:
      return {8, 14};
    case OpKind::softmax:
    case OpKind::log_softmax:
      return {10, 4};
    case OpKind::loss: {
      const Shape &in = graph.shape(node.inputs[0]), &out = graph.shape(node.output);
      const double each = static_cast<double>(in.elems()) / static_cast<double>(out.c);
      return {10 * each, 10 * each};
    }
    default:
      return {1, 1};
  }
}

}  // namespace

const OpInfo& op_info(OpKind kind) {
  const OpInfo& row = kTable[static_cast<std::size_t>(kind)];
  ensure(row.kind == kind, "op table rows stand in the order of OpKind");
  return row;
}

bool multiplies(OpKind kind) {
  return kind == OpKind::conv || kind == OpKind::conv_transpose || kind == OpKind::dense;
}

std::optional<OpKind> op_kind_by_name(std::string_view name) {
  for (const OpInfo& row : kTable) {
    if (name == row.name) return row.kind;
  }
  return std::nullopt;
}

Cost& Cost::operator+=(const Cost& o) {
  forward_flops += o.forward_flops;
  backward_flops += o.backward_flops;
  forward_bytes += o.forward_bytes;
  backward_bytes += o.backward_bytes;
  return *this;
}

Region needs(const Graph& graph, const Node& node, const Region& output, std::size_t k) {
  ensure(k < node.inputs.size(), "needs: operand exists");
  const Shape& in = graph.shape(node.inputs[k]);
  Region r = output;
  r.h = is_windowed(node.op) ? window_rows(node.attrs, output.h, in.h) : Range{0, in.h};
  if (op_info(node.op).channels == C::local && !is_windowed(node.op) && !mixes_rows(node.op)) {
    r.h = output.h;
  }
  // An operand of one pixel is read for every row.
  if (op_info(node.op).channels == C::aligned && in.h == graph.shape(node.output).h) r.h = output.h;
  switch (op_info(node.op).channels) {
    case C::local:
    case C::aligned:
      break;
    case C::mixing:
      r.c = mixed_channels(graph, node, output.c);
      break;
    case C::neighbour: {
      const std::int64_t below = (node.attrs.size - 1) / 2, above = node.attrs.size / 2;
      // Both ways: a channel's output reads [c-below, c+above], its gradient the mirror image.
      r.c = intersect(
          Range{output.c.begin - std::max(below, above), output.c.end + std::max(below, above)},
          Range{0, in.c});
      break;
    }
    case C::all:
    case C::index_map:
      r.c = {0, in.c};
      break;
  }
  return r;
}

Range params_rows(const Graph& graph, const Node& node, const Region& output, std::size_t j) {
  ensure(j < node.params.size(), "params_rows: parameter exists");
  const std::int64_t rows = graph.param(node.params[j]).rows();
  return rows == 1 ? Range{0, 1} : intersect(output.c, Range{0, rows});
}

Cost cost(const Graph& graph, const Node& node, const Region& output) {
  const double out = region_elems(graph, node, output);
  double in = 0;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    const Region r = needs(graph, node, output, k);
    in += static_cast<double>(r.n.size() * r.c.size() * r.h.size() * graph.shape(node.inputs[k]).w);
  }
  const double weights = row_elems(graph, node) * static_cast<double>(output.c.size());
  const Work work = work_per_element(graph, node);
  // A mixing op's inputs are shared by the cells beside it and live in cache; counted once per cell
  // they would make wide layers look bandwidth-bound.
  const bool mixing = op_info(node.op).channels == C::mixing;
  const double moved = mixing ? out + weights : in + out;
  return {out * work.forward, out * work.backward, 4 * moved, 8 * moved};
}

std::int64_t channel_multiple(const Graph& graph, const Node& node) {
  const std::int64_t groups = channel_groups(graph, node);
  return groups == 1 ? 1 : graph.shape(node.output).c / groups;
}

std::int64_t saved_bytes(const Graph& graph, const Node& node, std::int64_t samples,
                         std::int64_t channels, std::int64_t bn_group) {
  const Shape& out = graph.shape(node.output);
  switch (node.op) {
    case OpKind::batch_norm:
      return std::max<std::int64_t>(1, samples / bn_group) * channels * 2 * 4;
    case OpKind::layer_norm:
      return samples * out.h * out.w * 2 * 4;
    case OpKind::max_pool:
    case OpKind::lrn:
      return samples * channels * out.h * out.w * 4;
    default:
      return 0;
  }
}

}  // namespace hpmp
