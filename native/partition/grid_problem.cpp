#include "partition/grid_problem.h"

#include <algorithm>
#include <numeric>

namespace hpmp {
namespace {

// A bundle heavier than this fraction of a part is cut up, so that parts can be evened out.
constexpr double kHeaviestBundle = 0.05;

KwayProblem cells_problem(const Hypergraph& h, const Balance& balance) {
  KwayProblem problem;
  problem.parts = static_cast<int>(balance.capacity.size());
  problem.capacity = balance.capacity;
  problem.fixed = balance.pinned;
  problem.pin_begin = h.pin_begin;
  for (const Cell& cell : h.cells) problem.weight.push_back(cell.weight);
  for (const Net& net : h.nets) problem.cost.push_back(net.cost);
  problem.pins.reserve(h.pins.size());
  for (CellId pin : h.pins) problem.pins.push_back(pin.index);
  return problem;
}

/// Bundles of group `g`: at least as many as asked, and light enough.
std::int64_t bundles_of(const Hypergraph& h, std::size_t g, std::int64_t bundles, double heaviest) {
  const auto blocks = static_cast<std::int64_t>(h.blocks[g]);
  const std::int64_t cell =
      blocks == 0 ? 0 : h.cells[static_cast<std::size_t>(h.first_cell[g])].weight;
  const auto needed = static_cast<std::int64_t>(
      static_cast<double>(cell) * static_cast<double>(blocks) / std::max(heaviest, 1.0));
  return std::min(blocks, std::max(bundles, needed));
}

/// Ranks by share, greatest first.
std::vector<Rank> by_share(int ranks, const std::vector<double>& share) {
  std::vector<Rank> order(static_cast<std::size_t>(ranks));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](Rank a, Rank b) {
    return !share.empty() &&
           share[static_cast<std::size_t>(a)] > share[static_cast<std::size_t>(b)];
  });
  return order;
}

std::vector<std::size_t> by_weight(const Hypergraph& h) {
  std::vector<std::size_t> order(h.cells.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return h.cells[a].weight > h.cells[b].weight;
  });
  return order;
}

}  // namespace

Balance balance_of(const Hypergraph& h, int ranks, double epsilon,
                   const std::vector<double>& share) {
  const auto share_of = [&](Rank r) {
    return share.empty() ? 1.0 : share[static_cast<std::size_t>(r)];
  };
  double left = 0, shares = 0;
  for (const Cell& cell : h.cells) left += static_cast<double>(cell.weight);
  for (Rank r = 0; r < ranks; ++r) shares += share_of(r);
  Balance balance{std::vector<std::int64_t>(static_cast<std::size_t>(ranks)),
                  std::vector<Rank>(h.cells.size(), -1), false};
  std::vector<Rank> open = by_share(ranks, share);
  for (std::size_t cell : by_weight(h)) {
    const std::int64_t weight = h.cells[cell].weight;
    const double most = left * share_of(open[0]) / shares * (1 + epsilon);
    if (open.size() == 1 || static_cast<double>(weight) <= most) break;
    balance.pinned[cell] = open[0];
    balance.capacity[static_cast<std::size_t>(open[0])] = weight;
    balance.has_pinned = true;
    left -= static_cast<double>(weight);
    shares -= share_of(open[0]);
    open.erase(open.begin());
  }
  for (Rank r : open) {
    balance.capacity[static_cast<std::size_t>(r)] =
        static_cast<std::int64_t>(left * share_of(r) / shares * (1 + epsilon));
  }
  return balance;
}

GridProblem bundled_problem(const Hypergraph& h, std::int64_t bundles, const Balance& balance) {
  GridProblem grid;
  grid.vertex.resize(h.cells.size());
  grid.shape.groups = static_cast<std::int32_t>(h.blocks.size());
  grid.shape.shards = static_cast<std::int32_t>(h.grid.shards);
  const std::int64_t least = *std::min_element(balance.capacity.begin(), balance.capacity.end());
  // A pinned cell must not take its neighbours along.
  const double heaviest = balance.has_pinned ? 0.0 : static_cast<double>(least) * kHeaviestBundle;
  for (std::size_t g = 0; g < h.blocks.size(); ++g) {
    const std::int64_t blocks = h.blocks[g], joined = bundles_of(h, g, bundles, heaviest);
    for (std::int32_t s = 0; s < grid.shape.shards && blocks > 0; ++s) {
      const auto first = static_cast<std::int64_t>(grid.position.size());
      for (std::int64_t b = 0; b < blocks; ++b) {
        const auto cell = static_cast<std::size_t>(h.first_cell[g] + s * blocks + b);
        grid.vertex[cell] = static_cast<std::int32_t>(first + b * joined / blocks);
      }
      for (std::int32_t b = 0; b < joined; ++b) {
        grid.position.push_back(
            {static_cast<std::int32_t>(g), s, b, static_cast<std::int32_t>(joined)});
      }
    }
  }
  grid.problem = contracted(cells_problem(h, balance), grid.vertex,
                            static_cast<std::int32_t>(grid.position.size()));
  return grid;
}

}  // namespace hpmp
