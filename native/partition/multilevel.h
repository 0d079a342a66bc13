// Multilevel search: contract clusters of well-connected vertices, partition, refine on the way
// back.
#pragma once

#include "partition/refine.h"

namespace hpmp {

/// Clusters for one contraction; numbers them 0 .. count-1. Vertices of different `label` (empty:
/// all equal) or fixed parts stay apart, and no cluster outweighs `heaviest`. Each vertex, in
/// random order, joins the neighbour with the highest heavy-edge rating sum(cost / (pins - 1)) per
/// weight.
std::vector<std::int32_t> clusters_of(const KwayProblem& problem,
                                      const std::vector<std::int32_t>& label, std::int64_t heaviest,
                                      Random& random, std::int32_t& count, std::int64_t& work);

/// One cycle down to about `coarsest` vertices per part and back. Where `part` is empty it is made
/// at the coarsest level from several random starts; otherwise it is kept or improved, and `label`
/// must separate its parts. Source: multilevel k-way hypergraph partitioning with V-cycles, Karypis
/// and Kumar 1999; labels as in the recombination of Andre, Schlag, Schulz (GECCO 2018).
Quality cycle(const KwayProblem& problem, std::vector<Rank>& part,
              const std::vector<std::int32_t>& label, std::size_t coarsest, Random& random,
              std::int64_t& work);

}  // namespace hpmp
