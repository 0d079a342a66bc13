// The search for placements of least volume within a balance constraint.
#pragma once

#include "partition/metrics.h"

namespace hpmp {

struct SearchOptions {
  double epsilon = 0.03;  // a part may exceed its share of the weight by this fraction
  std::uint64_t seed = 0;
  std::int64_t work = 200'000'000;  // pins touched, about one second; makes results repeatable
  double seconds = 60;              // a guard: the search ends early when it is reached
  std::size_t keep = 8;             // candidates returned at most
  std::vector<double> share;        // by rank: relative speed; empty: all equal
};

struct Candidate {
  std::vector<Rank> part;  // by cell
  std::int64_t overload = 0;
  std::int64_t volume = 0;
  double imbalance = 0;  // heaviest part / its share - 1
};

/// Placements of different volume, best first: those within the balance constraint, then the rest.
/// `starts` are placements to improve beside the search's own. The same seed, work and hypergraph
/// give the same result unless `seconds` ends the search.
/// Errors: `infeasible` with more ranks than cells; `invalid_argument` for a bad option or start.
std::vector<Candidate> search_placements(const Hypergraph& h, int ranks,
                                         const SearchOptions& options,
                                         const std::vector<std::vector<Rank>>& starts);

}  // namespace hpmp
