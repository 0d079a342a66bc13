#include "hypergraph/stages.h"

namespace hpmp {

std::vector<std::size_t> synced_norms(const Graph& graph, const Group& group,
                                      const GridSpec& grid) {
  std::vector<std::size_t> norms;
  if (grid.statistics_shards() == 1) return norms;
  for (std::size_t i = 0; i < group.nodes.size(); ++i) {
    if (graph.node(group.nodes[i]).op == OpKind::batch_norm) norms.push_back(i);
  }
  return norms;
}

StageNodes forward_nodes(const Group& group, const std::vector<std::size_t>& norms,
                         std::int32_t stage) {
  const auto x = static_cast<std::size_t>(stage);
  return {x == 0 ? 0 : norms[x - 1], x == norms.size() ? group.nodes.size() : norms[x]};
}

StageNodes backward_nodes(const Group& group, const std::vector<std::size_t>& norms,
                          std::int32_t stage) {
  const auto x = static_cast<std::size_t>(stage);
  const std::size_t m = norms.size();
  return {x == m ? 0 : norms[m - 1 - x] + 1, x == 0 ? group.nodes.size() : norms[m - x] + 1};
}

}  // namespace hpmp
