// Stages of a group whose batch statistics several shards share: what runs before and after sums
// are exchanged.
#pragma once

#include <cstddef>
#include <vector>

#include "hypergraph/hypergraph.h"

namespace hpmp {

/// Positions in the group's chain of the batch_norms whose statistics shards share; empty where no
/// shard cuts a statistics group. With m of them the group runs in m + 1 stages each way:
///
///   forward stage 0    head .. input of the first, its sums     | exchange |
///   forward stage x    x-th normalises .. input of the next, its sums       | exchange | ...
///   backward stage 0   last op .. gradient of the last one's output, its sums | exchange | ...
///
/// Exchange x, either way, follows stage x.
std::vector<std::size_t> synced_norms(const Graph& graph, const Group& group, const GridSpec& grid);

/// Positions [begin, end) in a chain; backward runs them from the last to the first.
struct StageNodes {
  std::size_t begin = 0, end = 0;

  bool has(std::size_t node) const { return begin <= node && node < end; }
};

StageNodes forward_nodes(const Group& group, const std::vector<std::size_t>& norms,
                         std::int32_t stage);
StageNodes backward_nodes(const Group& group, const std::vector<std::size_t>& norms,
                          std::int32_t stage);

/// The batch_norm, as an index of `norms`, whose sums backward exchange `stage` carries.
inline std::int32_t backward_norm(std::size_t norms, std::int32_t stage) {
  return static_cast<std::int32_t>(norms) - 1 - stage;
}

}  // namespace hpmp
