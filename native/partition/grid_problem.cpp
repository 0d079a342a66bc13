#include "partition/grid_problem.h"

#include <algorithm>

namespace hpmp {
namespace {

KwayProblem cells_problem(const Hypergraph& h, const std::vector<std::int64_t>& capacity) {
  KwayProblem problem;
  problem.parts = static_cast<int>(capacity.size());
  problem.capacity = capacity;
  problem.fixed.assign(h.cells.size(), -1);
  problem.pin_begin = h.pin_begin;
  for (const Cell& cell : h.cells) problem.weight.push_back(cell.weight);
  for (const Net& net : h.nets) problem.cost.push_back(net.cost);
  problem.pins.reserve(h.pins.size());
  for (CellId pin : h.pins) problem.pins.push_back(pin.index);
  return problem;
}

}  // namespace

GridProblem bundled_problem(const Hypergraph& h, std::int64_t bundles,
                            const std::vector<std::int64_t>& capacity) {
  GridProblem grid;
  grid.vertex.resize(h.cells.size());
  grid.shape.groups = static_cast<std::int32_t>(h.blocks.size());
  grid.shape.shards = static_cast<std::int32_t>(h.grid.shards);
  for (std::size_t g = 0; g < h.blocks.size(); ++g) {
    const std::int64_t blocks = h.blocks[g], joined = std::min(blocks, bundles);
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
  grid.problem = contracted(cells_problem(h, capacity), grid.vertex,
                            static_cast<std::int32_t>(grid.position.size()));
  return grid;
}

std::vector<std::int64_t> capacities(const Hypergraph& h, int ranks, double epsilon,
                                     const std::vector<double>& share) {
  double total = 0, shares = 0;
  std::int64_t heaviest = 0;
  for (const Cell& cell : h.cells) {
    total += static_cast<double>(cell.weight);
    heaviest = std::max(heaviest, cell.weight);
  }
  for (double s : share) shares += s;
  std::vector<std::int64_t> capacity;
  for (std::size_t r = 0; r < static_cast<std::size_t>(ranks); ++r) {
    const double fraction = share.empty() ? 1.0 / ranks : share[r] / shares;
    const auto most = static_cast<std::int64_t>(total * fraction * (1 + epsilon));
    capacity.push_back(std::max(most, heaviest));
  }
  return capacity;
}

}  // namespace hpmp
