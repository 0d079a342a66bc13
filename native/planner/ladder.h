// Placements on many ranks from good ones on fewer: left as they are, or with every share divided.
#pragma once

#include <vector>

#include "hypergraph/hypergraph.h"

namespace hpmp {

/// The largest number of ranks below `ranks` that divides it.
int fewer_ranks(int ranks);

/// `part` on ranks / `factor` ranks: every rank's share of each group divided among `factor` ranks,
/// by its shards.
std::vector<Rank> divided_by_shards(const Hypergraph& h, const std::vector<Rank>& part, int factor);
/// The same by channel blocks.
std::vector<Rank> divided_by_blocks(const Hypergraph& h, const std::vector<Rank>& part, int factor);

}  // namespace hpmp
