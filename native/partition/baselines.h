// The classical strategies as placements on the same hypergraph.
#pragma once

#include <string>

#include "partition/placement.h"

namespace hpmp {

/// data: shard s on rank s*K/S. layer: contiguous groups per rank, heaviest rank minimal (dynamic
/// programming over whole groups, i.e. min-max). filter: channel blocks spread evenly over ranks.
/// owt: data for convolutional groups, filter for dense ones (Krizhevsky 2014, arXiv 1404.5997).
/// data:R: R replicas of a layer pipeline over ranks/R stages.
/// Errors: `invalid_argument` for an unknown name; `infeasible` where the grid has too few shards
/// (data, owt), groups (layer) or blocks for `ranks`, saying what would do.
Placement baseline(const Hypergraph& h, const std::string& name, int ranks);

}  // namespace hpmp
