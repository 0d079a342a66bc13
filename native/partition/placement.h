// A placement gives every cell a part (rank), and every parameter or statistics net an owner.
#pragma once

#include <vector>

#include "hypergraph/hypergraph.h"

namespace hpmp {

struct Placement {
  int ranks = 1;
  std::vector<Rank> part;   // by cell
  std::vector<Rank> owner;  // by net: the producer's part, or the chosen owner
};

/// Completes `part` with owners, chosen by `choose_owners`; nets with the same pins share one.
/// Errors: `invalid_argument` for a part outside [0, ranks) or a wrong number of cells.
Placement make_placement(const Hypergraph& h, std::vector<Rank> part, int ranks);

/// Which of the `parts` (ascending) of a statistics net sums them: they take turns over groups and
/// statistics groups. Channel blocks on the same parts have the same owner and travel together.
Rank statistics_owner(const GridSpec& grid, GroupId g, std::int32_t first_shard, const Rank* parts,
                      std::size_t count);

/// Distinct parts of a net in ascending order.
std::vector<Rank> net_parts(const Hypergraph& h, const Placement& p, NetId e);

}  // namespace hpmp
