#include "plan/chain.h"

#include <algorithm>

#include "hypergraph/stages.h"

namespace hpmp {
namespace {

constexpr std::int64_t kAlign = 64;

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

ChainLayout chain_layout(const Graph& graph, const Group& group, std::int64_t samples,
                         std::int64_t channels, std::int64_t bn_group) {
  ChainLayout layout;
  const std::size_t count = group.nodes.size();
  layout.buffer.assign(count, ChainLayout::kOutput);
  const auto take = [&layout](std::int64_t bytes) {
    const std::int64_t offset = layout.bytes;
    layout.bytes += aligned(bytes);
    return offset;
  };
  for (std::size_t i = count - 1; i > 0; --i) {
    const OpInfo& next = op_info(graph.node(group.nodes[i]).op);
    const Node& node = graph.node(group.nodes[i - 1]);
    if (next.in_place && !op_info(node.op).backward_reads_output) {
      layout.buffer[i - 1] = layout.buffer[i];
    } else {
      const Shape& s = graph.shape(node.output);
      layout.buffer[i - 1] = take(samples * channels * s.h * s.w * 4);
    }
  }
  for (NodeId n : group.nodes) {
    layout.saved.push_back(take(saved_bytes(graph, graph.node(n), samples, channels, bn_group)));
  }
  return layout;
}

std::int64_t stage_grad_bytes(const Graph& graph, const Group& group, const GridSpec& grid,
                              std::int64_t channels) {
  std::int64_t most = 0;
  for (std::size_t norm : synced_norms(graph, group, grid))
    most =
        std::max(most, graph.shape(graph.node(group.nodes[norm]).output).elems() / group.shape.c);
  return grid.shard_samples() * channels * most * 4;
}

std::int64_t statistics_bytes(const Graph& graph, const Group& group, const GridSpec& grid,
                              std::int64_t channels) {
  const std::size_t exchanges = 2 * synced_norms(graph, group, grid).size();
  return static_cast<std::int64_t>(exchanges * 2 * sizeof(double)) * channels;
}

bool backward_reads_output(const Graph& graph, const Group& group) {
  return op_info(graph.node(group.nodes.back()).op).backward_reads_output;
}

bool backward_reads_input(const Graph& graph, const Group& group, std::size_t k) {
  return op_info(graph.node(group.nodes[group.inputs[k].node]).op).backward_reads_input;
}

}  // namespace hpmp
