#include "plan/chain.h"

#include <algorithm>

#include "hypergraph/stages.h"

namespace hpmp {
namespace {

constexpr std::int64_t kAlign = 64;

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

std::vector<Link> links_of(const Graph& graph, const Group& group, const GridSpec& grid) {
  return chain_links(graph, group, grid.training, grid.statistics_shards() == 1);
}

std::int64_t take(ChainLayout& layout, std::int64_t bytes) {
  const std::int64_t offset = layout.bytes;
  layout.bytes += aligned(bytes);
  return offset;
}

}  // namespace

ChainLayout chain_layout(const Graph& graph, const Group& group, const GridSpec& grid,
                         std::int64_t channels) {
  ChainLayout layout;
  layout.links = links_of(graph, group, grid);
  const std::int64_t samples = grid.shard_samples();
  const auto node = [&](std::size_t i) -> const Node& { return graph.node(group.nodes[i]); };
  layout.buffer.assign(layout.links.size(), ChainLayout::kOutput);
  for (std::size_t l = layout.links.size() - 1; l-- > 0;) {
    const Link &link = layout.links[l], &next = layout.links[l + 1];
    const Shape& s = graph.shape(node(link.end - 1).output);
    if (next.in_place && !link.backward_reads_output)
      layout.buffer[l] = layout.buffer[l + 1];
    else if (next.backward_reads_input || link.backward_reads_output)
      layout.buffer[l] = take(layout, samples * channels * s.h * s.w * elem_bytes(grid.dtype));
    else
      layout.buffer[l] = ChainLayout::kScratch;
  }
  for (const Link& link : layout.links) {
    std::int64_t bytes = 0;
    for (std::size_t i = link.begin; i < link.end; ++i)
      bytes += saved_bytes(graph, node(i), samples, channels, grid.bn_group);
    layout.saved.push_back(take(layout, bytes));
  }
  return layout;
}

DType image_type(const Graph& graph, const Group& group, const GridSpec& grid) {
  return graph.node(group.nodes[0]).op == OpKind::loss ? DType::fp32 : grid.dtype;
}

std::int64_t stage_grad_bytes(const Graph& graph, const Group& group, const GridSpec& grid,
                              std::int64_t channels) {
  std::int64_t most = 0;
  for (std::size_t norm : synced_norms(graph, group, grid))
    most =
        std::max(most, graph.shape(graph.node(group.nodes[norm]).output).elems() / group.shape.c);
  return grid.shard_samples() * channels * most * elem_bytes(grid.dtype);
}

std::int64_t statistics_bytes(const Graph& graph, const Group& group, const GridSpec& grid,
                              std::int64_t channels) {
  const std::size_t exchanges = 2 * synced_norms(graph, group, grid).size();
  return static_cast<std::int64_t>(exchanges * 2 * sizeof(double)) * channels;
}

bool backward_reads_output(const Graph& graph, const Group& group, const GridSpec& grid) {
  return links_of(graph, group, grid).back().backward_reads_output;
}

bool backward_reads_input(const Graph& graph, const Group& group, std::size_t k) {
  return op_info(graph.node(group.nodes[group.inputs[k].node]).op).backward_reads_input;
}

}  // namespace hpmp
