// The graph IR: values, nodes and parameters as arrays; no weights data, no batch size, no ranks.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/region.h"

namespace hpmp {

/// Extent of one sample of a value. Dense features are (features, 1, 1).
struct Shape {
  std::int64_t c = 0, h = 1, w = 1;

  std::int64_t elems() const { return c * h * w; }
  friend bool operator==(const Shape& a, const Shape& b) {
    return a.c == b.c && a.h == b.h && a.w == b.w;
  }
};

enum class OpKind : std::uint8_t {
  input,           // images, loaded from the caller's batch
  conv,            // params: weight (K, C/groups, R, S) [, bias (K)]
  conv_transpose,  // transposed convolution; params: weight (K, C/groups, R, S) [, bias (K)]; pads
                   // cut off the output and are negative where it is longer
  dense,           // params: weight (out, in) [, bias (out)]; reads all features in C,H,W order
  batch_norm,      // params: scale, shift, running_mean, running_var, each (C)
  affine,          // per-channel y = x * scale + shift; params by has_scale, has_shift
  relu,
  clip,  // y = x held between attrs.min and attrs.max
  // pointwise functions of one number; alpha, beta and exponent are attributes
  sigmoid,
  hard_sigmoid,  // max(0, min(1, alpha * x + beta))
  hard_swish,    // x * max(0, min(1, x / 6 + 1 / 2))
  silu,          // x * sigmoid(x)
  leaky_relu,    // x, below zero alpha * x
  elu,           // x, below zero alpha * (exp(x) - 1)
  selu,          // beta * elu(x)
  celu,          // x, below zero alpha * (exp(x / alpha) - 1)
  tanh,
  softplus,  // log(1 + exp(x))
  softsign,  // x / (1 + |x|)
  gelu,      // x / 2 * (1 + erf(x / sqrt(2))), or by tanh where attrs.approximate
  mish,      // x * tanh(softplus(x))
  erf,
  exp,
  log,
  sqrt,
  abs,
  neg,
  reciprocal,
  pow,    // x ** exponent
  prelu,  // x, below zero slope * x; params: slope, (C) or one for all channels
  mul,    // of two; one may have a single pixel, which scales the other's channels
  max,    // n-ary, of equal shapes; equal operands share the gradient
  min,
  max_pool,
  average_pool,
  global_average_pool,
  resample,  // every row and column interpolated at a position of the input: resizing, padding,
             // cropping; see Sampling
  add,       // n-ary sum of equal shapes
  dropout,
  lrn,
  layer_norm,  // over the channels of each pixel; params by has_scale, has_shift, each (C)
  softmax,     // over channels
  log_softmax,
  depth_to_space,  // blocks of block * block channels to pixels, row by row
  space_to_depth,  // the inverse
  loss,    // softmax cross-entropy of each pixel's logits (classes, h, w) and the batch's labels.
           // output (2, 1, 1): a sample's loss, and how often its top class is right; of maps
           // (2 + 3 * classes, 1, 1): also pixels by class that are right, predicted, labelled
  output,  // gathers a graph output in one cell per shard (inference)
  // index maps: never executed, removed by index algebra (views.h)
  concat,           // channels
  slice,            // channels [range)
  channel_shuffle,  // (groups, C/groups) transposed
  flatten,          // (C, H, W) -> (C*H*W, 1, 1)
  identity,
};

enum class ParamRole : std::uint8_t {
  weight,
  bias,
  scale,
  shift,
  running_mean,
  running_var,
  slope
};

/// A tensor that lives across steps. Dimension 0 is the output channel ("row").
struct Param {
  std::string name;
  ParamRole role = ParamRole::weight;
  std::vector<std::int64_t> dims;
  bool trainable = true;

  std::int64_t rows() const { return dims[0]; }
  std::int64_t row_elems() const;
  std::int64_t elems() const { return rows() * row_elems(); }
  /// Running statistics: updated by the forward pass, not by the optimizer.
  bool is_state() const {
    return role == ParamRole::running_mean || role == ParamRole::running_var;
  }
};

/// Along one axis, output o is interpolated at the position (o + shift) * step / scale + offset of
/// the input, in float32 as runtimes have it: rounding decides which pixel is the nearest.
struct Sampling {
  double shift = 0, step = 1, scale = 1, offset = 0;

  friend bool operator==(const Sampling& a, const Sampling& b) {
    return a.shift == b.shift && a.step == b.step && a.scale == b.scale && a.offset == b.offset;
  }
  friend bool operator!=(const Sampling& a, const Sampling& b) { return !(a == b); }
};

enum class Interpolation : std::uint8_t { nearest, linear, cubic };
enum class Rounding : std::uint8_t { prefer_floor, prefer_ceil, floor, ceil };
/// What stands outside the input: its outermost pixels, a value where the position itself is
/// outside, its mirror image without the edge, or its other side.
enum class Border : std::uint8_t { edge, constant, reflect, wrap };

/// Attributes of every op kind in one plain struct; each op reads its own fields.
struct Attrs {
  std::array<std::int64_t, 2> kernel{1, 1};
  std::array<std::int64_t, 2> strides{1, 1};
  std::array<std::int64_t, 2> dilations{1, 1};
  std::array<std::int64_t, 4> pads{0, 0, 0, 0};  // top, left, bottom, right
  std::int64_t groups = 1;                       // conv, channel_shuffle
  bool ceil_mode = false;                        // pools
  bool count_include_pad = false;                // average_pool
  bool has_scale = true, has_shift = true;       // affine, layer_norm
  double epsilon = 1e-5;                         // batch_norm, layer_norm
  double momentum = 0.9;    // batch_norm, ONNX: running*momentum + batch*(1-momentum)
  double ratio = 0.5;       // dropout
  bool per_sample = false;  // dropout: one draw for all of a sample (stochastic depth)
  std::int64_t size = 5;    // lrn
  double alpha = 1e-4, beta = 0.75, bias = 1.0;           // lrn; alpha, beta: pointwise functions
  double exponent = 1;                                    // pow
  bool approximate = false;                               // gelu: by tanh
  double min = -std::numeric_limits<double>::infinity();  // clip
  double max = std::numeric_limits<double>::infinity();   // clip
  Range range;                                            // slice
  std::array<std::int64_t, 2> extent{1, 1};               // resample: height, width of the output
  Sampling rows, columns;                                 // resample, as all that follow
  Interpolation interpolation = Interpolation::nearest;
  Rounding rounding = Rounding::floor;  // of nearest
  double cubic_a = -0.75;               // Keys' parameter
  bool antialias = false;               // linear, cubic: stretched where the input has more pixels
  bool exclude_outside = false;         // linear, cubic: the weights inside are made to sum to 1
  Border border = Border::edge;
  double border_value = 0;
  std::int64_t block = 1;  // depth_to_space, space_to_depth
  double weight = 1;       // loss: of its mean in the sum of all losses
};

struct Value {
  std::string name;
  Shape shape;
  NodeId producer;
};

struct Node {
  OpKind op = OpKind::identity;
  std::string name;
  std::vector<ValueId> inputs;
  std::vector<ParamId> params;
  ValueId output;
  Attrs attrs;
};

/// Nodes are in topological order. Immutable once built (by `parse_graph` or a pass).
struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<Param> params;
  std::vector<ValueId> outputs;

  const Value& value(ValueId v) const { return values[v.at()]; }
  const Node& node(NodeId n) const { return nodes[n.at()]; }
  const Param& param(ParamId p) const { return params[p.at()]; }
  const Shape& shape(ValueId v) const { return values[v.at()].shape; }
  /// Nodes that read `v`, in order; a node that reads it twice stands twice.
  std::vector<std::vector<NodeId>> consumers() const;
};

/// Appends a node, infers its output's shape, checks its attributes.
/// Errors: `invalid_model` naming the node.
ValueId add_node(Graph& graph, OpKind op, std::string name, std::vector<ValueId> inputs,
                 std::vector<ParamId> params, Attrs attrs, std::string output_name);

/// FNV-1a of the text form, in hex; what a plan carries to name its graph.
std::string graph_hash(const Graph& graph);

}  // namespace hpmp
