// The op table: everything the system knows of an operator, except how to compute it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "graph/graph.h"

namespace hpmp {

/// How output channel c depends on input channels.
enum class ChannelClass : std::uint8_t {
  local,      // channel c only: may be fused behind the op that feeds it
  aligned,    // channel c of each input
  mixing,     // all channels of its conv group
  neighbour,  // a window of channels (lrn)
  all,        // every channel; one cell per shard (softmax, loss)
  index_map,  // no work
};

struct OpInfo {
  OpKind kind;
  const char* name;  // in the text form, as ONNX spells it where ONNX has it
  ChannelClass channels;
  /// What the backward pass reads; decides in-place execution and lifetimes.
  bool backward_reads_input;
  bool backward_reads_output;
  /// May write its output over its first input.
  bool in_place;
  /// May write the gradient of its first input over that of its output.
  bool gradient_in_place;
};

const OpInfo& op_info(OpKind kind);
/// Conv, ConvTranspose and Dense: products with a weight, which is the first parameter.
bool multiplies(OpKind kind);
std::optional<OpKind> op_kind_by_name(std::string_view name);

/// Work of one cell: floating-point operations and bytes read or written (fp32), per pass.
struct Cost {
  double forward_flops = 0, backward_flops = 0;
  double forward_bytes = 0, backward_bytes = 0;

  Cost& operator+=(const Cost& o);
};

/// Shape rule. Errors: `invalid_model` naming the node.
Shape infer_shape(const Graph& graph, const Node& node);

/// Region of input `k` that `output` (a region of the node's output) reads.
Region needs(const Graph& graph, const Node& node, const Region& output, std::size_t k);

/// Rows of param `j` that `output` reads: those of its channels, or the one row of a shared number.
Range params_rows(const Graph& graph, const Node& node, const Region& output, std::size_t j);

/// Work of computing `output` (and, in backward, its input and parameter gradients).
Cost cost(const Graph& graph, const Node& node, const Region& output);

/// Channels that a cell boundary must not cut: a multiple that holds whole conv groups.
std::int64_t channel_multiple(const Graph& graph, const Node& node);

/// Bytes that forward keeps for backward beside the input and output tensors, for `samples`
/// samples and `channels` output channels: batch_norm mean and 1/std per statistics group
/// (2 floats per channel and group), max_pool winner index (int32 per output element),
/// lrn scale (float per output element), layer_norm mean and 1/std per pixel; 0 for others.
std::int64_t saved_bytes(const Graph& graph, const Node& node, std::int64_t samples,
                         std::int64_t channels, std::int64_t bn_group);

}  // namespace hpmp
