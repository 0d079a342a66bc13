// From a hypergraph to the bare k-way problem on bundles of like cells, and back.
#pragma once

#include "hypergraph/hypergraph.h"
#include "partition/starts.h"

namespace hpmp {

/// Cells of one group and shard with neighbouring channels, joined so that at most `bundles`
/// remain. They have nearly the same neighbours, so a partition of bundles is nearly one of cells.
struct GridProblem {
  KwayProblem problem;
  GridShape shape;
  std::vector<GridPosition> position;  // by vertex
  std::vector<std::int32_t> vertex;    // by cell
};

/// `capacity` is by part.
GridProblem bundled_problem(const Hypergraph& h, std::int64_t bundles,
                            const std::vector<std::int64_t>& capacity);

/// The most weight each part may hold: its share of the total times 1 + epsilon, but never less
/// than the heaviest cell, which has to go somewhere.
std::vector<std::int64_t> capacities(const Hypergraph& h, int ranks, double epsilon,
                                     const std::vector<double>& share);

}  // namespace hpmp
