// Starting points drawn from the family that holds the classical strategies and their hybrids.
#pragma once

#include "partition/kway.h"
#include "partition/random.h"

namespace hpmp {

/// Where a vertex stands: its group's place in the network, its shard, its place among the blocks
/// of that group and shard.
struct GridPosition {
  std::int32_t group = 0, shard = 0, block = 0, blocks = 1;
};

struct GridShape {
  std::int32_t groups = 1, shards = 1;
};

/// A random hybrid: the network is cut into one to four runs of groups, each run is given to a
/// subset of the parts (nested, so that e.g. the tail lives on one part that takes fewer samples of
/// the head), and its shards, or its channel blocks, are dealt out so that weights come out even.
/// Data, layer and filter parallelism, one weird trick and pipelines of replicated stages are all
/// members.
std::vector<Rank> hybrid_start(const KwayProblem& problem, const GridShape& shape,
                               const std::vector<GridPosition>& position, Random& random);

}  // namespace hpmp
