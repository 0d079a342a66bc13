// The search for placements of least predicted step time.
#pragma once

#include "planner/evaluator.h"

namespace hpmp {

struct ImproveOptions {
  std::uint64_t seed = 0;
  std::int64_t work = 20'000'000;  // tasks simulated, about two seconds; makes results repeatable
  double seconds = 60;             // a guard: the search ends early when it is reached
  bool ladder = true;              // also start from placements found on fewer ranks
};

struct TimedPlacement {
  std::vector<Rank> part;  // by cell
  double seconds = 0;      // of a step, predicted
};

/// Improves the best of `starts` that fit the machine's memory limit; they may borrow from each
/// other. Never worse than the best start. Ends early where the step is nearly all compute. The
/// same seed, work and hypergraph give the same result unless `seconds` ends the search. Errors:
/// `invalid_argument` for no start or a bad one; `infeasible` if none fits the memory.
TimedPlacement improve_time(const Hypergraph& h, const Machine& machine, int ranks,
                            const std::vector<std::vector<Rank>>& starts,
                            const ImproveOptions& options);

}  // namespace hpmp
