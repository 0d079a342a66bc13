// Measured speeds of ops, looked up by the nearest measured shape.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/ops.h"

namespace hpmp {

/// What the speed of an op depends on, for one sample of its output.
struct OpShape {
  OpKind op = OpKind::identity;
  std::int64_t kernel = 1;  // elements of the window
  std::int64_t stride = 1;  // vertical
  std::int64_t groups = 1;  // of a convolution
  std::int64_t c_in = 1, c_out = 1, pixels = 1;
};

OpShape op_shape(const Graph& graph, const Node& node);

/// The three passes of an op: forward, gradient of the input, gradient of the weights. An op that
/// has them in one pass, or no weights, has no third.
struct PassTriple {
  double forward = 0, backward = 0, weights = 0;
};

/// Work of computing `output`: floating-point operations of mixing ops, bytes read and written of
/// the others.
PassTriple op_work(const Graph& graph, const Node& node, const Region& output);

/// Work per second and thread of one op on one shape.
struct Rate {
  OpShape shape;
  PassTriple per_second;
};

/// The rates of the same op nearest to `shape`, blended in log space; exact where the shape itself
/// was measured. None where the op was not measured.
std::optional<PassTriple> rate_of(const std::vector<Rate>& rates, const OpShape& shape);

}  // namespace hpmp
