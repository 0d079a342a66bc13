#include "partition/baselines.h"

#include <limits>

#include "base/error.h"
#include "base/numbers.h"

namespace hpmp {
namespace {

bool is_dense(const Hypergraph& h, const Cell& cell) {
  const Group& group = h.grouped.group(cell.group);
  return h.graph.node(group.nodes[0]).op == OpKind::dense;
}

Rank by_shard(const Hypergraph& h, const Cell& cell, int ranks) {
  return static_cast<Rank>(cell.shard * static_cast<std::int64_t>(ranks) / h.grid.shards);
}

Rank by_block(const Hypergraph& h, const Cell& cell, int ranks) {
  return static_cast<Rank>(cell.block * static_cast<std::int64_t>(ranks) /
                           h.blocks[cell.group.at()]);
}

void need_shards(const Hypergraph& h, const std::string& name, int ranks) {
  if (h.grid.shards >= ranks) return;
  const bool held_back = h.grid.batch % ranks == 0 && !statistics_allow(h.graph, h.grid, ranks);
  const std::string cure = held_back ? "batch statistics over " + std::to_string(h.grid.bn_group) +
                                           " samples allow no more: use --bn-group " +
                                           std::to_string(h.grid.batch / ranks) + ", or --bn sync"
                                     : "use at least as many shards as ranks";
  fail(ErrorCode::infeasible, "strategy '" + name + "' cannot use " + std::to_string(ranks) +
                                  " ranks with " + std::to_string(h.grid.shards) +
                                  " sample shards; " + cure);
}

void need_blocks(const Hypergraph& h, int ranks) {
  const std::int32_t most = *std::max_element(h.blocks.begin(), h.blocks.end());
  if (most >= ranks) return;
  fail(ErrorCode::infeasible, "strategy 'filter' cannot use " + std::to_string(ranks) +
                                  " ranks: the widest layer has " + std::to_string(most) +
                                  " channel blocks; use fewer ranks or another strategy");
}

std::vector<std::int64_t> group_weights(const Hypergraph& h) {
  std::vector<std::int64_t> weight(h.grouped.groups.size(), 0);
  for (const Cell& cell : h.cells) weight[cell.group.at()] += cell.weight;
  return weight;
}

/// Stage of every item when a chain is cut into `stages` non-empty runs whose heaviest is lightest.
/// best[k][i]: heaviest of the first i items in k runs; cut[k][i]: where the last run begins.
std::vector<Rank> min_max_stages(const std::vector<std::int64_t>& weight, int stages) {
  const std::size_t n = weight.size(), k_end = static_cast<std::size_t>(stages) + 1;
  std::vector<std::int64_t> before(n + 1, 0);
  for (std::size_t i = 0; i < n; ++i) before[i + 1] = before[i] + weight[i];
  const auto never = std::numeric_limits<std::int64_t>::max();
  std::vector<std::vector<std::int64_t>> best(k_end, std::vector<std::int64_t>(n + 1, never));
  std::vector<std::vector<std::size_t>> cut(k_end, std::vector<std::size_t>(n + 1, 0));
  best[0][0] = 0;
  for (std::size_t k = 1; k < k_end; ++k) {
    for (std::size_t i = k; i <= n; ++i) {
      for (std::size_t j = k - 1; j < i; ++j) {
        if (best[k - 1][j] == never) continue;
        const std::int64_t heaviest = std::max(best[k - 1][j], before[i] - before[j]);
        if (heaviest < best[k][i]) best[k][i] = heaviest, cut[k][i] = j;
      }
    }
  }
  std::vector<Rank> stage(n);
  for (std::size_t k = k_end - 1, i = n; k > 0; i = cut[k][i], --k) {
    for (std::size_t j = cut[k][i]; j < i; ++j) stage[j] = static_cast<Rank>(k - 1);
  }
  return stage;
}

/// By cell: the stage of its group in a pipeline.
std::vector<Rank> layer_parts(const Hypergraph& h, int ranks) {
  const std::vector<std::int64_t> weight = group_weights(h);
  std::vector<std::int64_t> heavy;
  std::vector<std::size_t> position(weight.size(), 0);
  for (std::size_t g = 0; g < weight.size(); ++g) {
    position[g] = heavy.size();
    if (h.blocks[g] > 0) heavy.push_back(weight[g]);
  }
  if (heavy.size() < static_cast<std::size_t>(ranks)) {
    fail(ErrorCode::infeasible, "strategy 'layer' cannot use " + std::to_string(ranks) +
                                    " ranks: the network has " + std::to_string(heavy.size()) +
                                    " layer groups; use at most as many ranks");
  }
  const std::vector<Rank> stage = min_max_stages(heavy, ranks);
  std::vector<Rank> part;
  for (const Cell& cell : h.cells) part.push_back(stage[position[cell.group.at()]]);
  return part;
}

/// Shards over `replicas` rows of ranks, and layers over the ranks of a row.
std::vector<Rank> hybrid_parts(const Hypergraph& h, const std::string& name, int ranks) {
  const auto replicas = number_in<int>(name.substr(name.find(':') + 1)).value_or(0);
  if (replicas < 1 || ranks % replicas != 0) {
    fail(ErrorCode::invalid_argument, "strategy '" + name + "': write data:R with a divisor R of " +
                                          std::to_string(ranks) + " ranks");
  }
  need_shards(h, name, replicas);
  const int stages = ranks / replicas;
  std::vector<Rank> part = layer_parts(h, stages);
  for (std::size_t i = 0; i < part.size(); ++i)
    part[i] += by_shard(h, h.cells[i], replicas) * stages;
  return part;
}

}  // namespace

Placement baseline(const Hypergraph& h, const std::string& name, int ranks) {
  std::vector<Rank> part;
  if (name == "layer") return make_placement(h, layer_parts(h, ranks), ranks);
  if (name.rfind("data:", 0) == 0) return make_placement(h, hybrid_parts(h, name, ranks), ranks);
  if (name == "data" || name == "owt") {
    need_shards(h, name, ranks);
    const bool dense_by_block = name == "owt";
    for (const Cell& cell : h.cells) {
      const bool block = dense_by_block && is_dense(h, cell);
      part.push_back(block ? by_block(h, cell, ranks) : by_shard(h, cell, ranks));
    }
  } else if (name == "filter") {
    need_blocks(h, ranks);
    for (const Cell& cell : h.cells) part.push_back(by_block(h, cell, ranks));
  } else {
    fail(ErrorCode::invalid_argument,
         "unknown strategy '" + name + "'; choose data, layer, filter or owt");
  }
  return make_placement(h, std::move(part), ranks);
}

}  // namespace hpmp
