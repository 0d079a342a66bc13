// Sharing a run of groups out by shards so that every rank's work, outside work included, is even.
#pragma once

#include <vector>

#include "plan/step_model.h"

namespace hpmp {

/// Positions [begin, end) in the list of groups that have cells.
struct GroupRun {
  std::size_t begin = 0, end = 0;
};

/// Groups with cells, in network order.
std::vector<std::size_t> groups_with_cells(const Hypergraph& h);

/// A rank of `over` for every shard of the run. A shard goes where its neighbours outside the run
/// are, as far as the ranks' quotas allow.
std::vector<Rank> fill_shards(const StepModel& model, const std::vector<std::size_t>& groups,
                              const std::vector<Rank>& part, GroupRun run,
                              const std::vector<Rank>& over, int ranks);

/// Placements of the network in two segments: the later one over few ranks, by shards or blocks,
/// and the earlier one shared out over all so that their work is even. One for every boundary of
/// about `most` and every number of ranks that is a power of two or all.
std::vector<std::vector<Rank>> two_segments(const StepModel& model, int ranks, std::size_t most);

}  // namespace hpmp
