// From a hypergraph to the bare k-way problem on bundles of like cells, and back.
#pragma once

#include "hypergraph/hypergraph.h"
#include "partition/starts.h"

namespace hpmp {

/// What each part may hold. A cell that outweighs a part's share has a part of its own and is
/// pinned there, and the other parts share the rest: otherwise a part would stay empty.
struct Balance {
  std::vector<std::int64_t> capacity;  // by part
  std::vector<Rank> pinned;            // by cell: its part, or -1
  bool has_pinned = false;
};

/// `share`: relative speed of the ranks, empty where all are equal.
Balance balance_of(const Hypergraph& h, int ranks, double epsilon,
                   const std::vector<double>& share);

/// Cells of one group and shard with neighbouring channels, joined to about `bundles` per group and
/// shard (more where a bundle would be too heavy to balance with). They have nearly the same
/// neighbours, so a partition of bundles is nearly one of cells.
struct GridProblem {
  KwayProblem problem;
  GridShape shape;
  std::vector<GridPosition> position;  // by vertex
  std::vector<std::int32_t> vertex;    // by cell
};

GridProblem bundled_problem(const Hypergraph& h, std::int64_t bundles, const Balance& balance);

}  // namespace hpmp
