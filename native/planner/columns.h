// Placements over all ranks whose arrangement changes along the network: rows of sample shards by
// columns of channel blocks, mostly more columns towards the end, where parameters are many.
#pragma once

#include <functional>

#include "planner/evaluator.h"

namespace hpmp {

/// Ranks arranged in ranks / columns rows. `columns`: by group with cells, in network order; each
/// divides the ranks. Rows of one group are made of whole rows of a group with fewer columns.
std::vector<Rank> in_columns(const Hypergraph& h, const std::vector<std::int64_t>& columns,
                             int ranks);

/// The shortest step that is found from data parallelism by changing the columns of all groups
/// from a boundary on, or before it, as long as that helps. Boundaries are at most `most`.
/// enough: asked before every trial; true ends the search.
std::vector<Rank> best_columns(Evaluator& evaluator, const Hypergraph& h, int ranks,
                               std::size_t most, const std::function<bool()>& enough);

}  // namespace hpmp
