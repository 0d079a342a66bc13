// Which parts of a step's batch a rank reads: images that it loads, labels of losses it computes.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace hpmp {

/// By shard. `counted`: of those whose labels it reads, the ones of the first loss, which exactly
/// one rank computes for every shard.
struct ShardReads {
  std::vector<bool> images, labels, counted;
};

ShardReads shard_reads(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                       const RankProgram& program);

}  // namespace hpmp
