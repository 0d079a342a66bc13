// A placement gives every cell a part (rank), and every parameter net an owner.
#pragma once

#include <vector>

#include "hypergraph/hypergraph.h"

namespace hpmp {

struct Placement {
  int ranks = 1;
  std::vector<Rank> part;   // by cell
  std::vector<Rank> owner;  // by net: the producer's part, or the chosen owner of a parameter block
};

/// Errors: `invalid_argument` for a part outside [0, ranks) or a wrong number of cells.
void check_parts(const Hypergraph& h, const std::vector<Rank>& part, int ranks);

/// Completes `part` with owners, chosen by `choose_owners`; nets with the same pins share one.
/// Errors: as check_parts.
Placement make_placement(const Hypergraph& h, std::vector<Rank> part, int ranks);

/// Distinct parts of a net in ascending order.
std::vector<Rank> net_parts(const Hypergraph& h, const Placement& p, NetId e);

}  // namespace hpmp
