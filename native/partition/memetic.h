// A memetic search on one bundled problem: rounds of hybrid starts, then recombination of the best.
#pragma once

#include <chrono>

#include "partition/grid_problem.h"

namespace hpmp {

struct Budget {
  std::int64_t work = 0;                      // pins touched; the same on every machine
  std::chrono::steady_clock::time_point end;  // a guard
};

/// At most `keep` placements of cells of different quality, best first. `starts` are placements of
/// cells to improve beside the search's own. At least one is made, whatever the budget.
std::vector<std::vector<Rank>> memetic_search(const GridProblem& grid,
                                              const std::vector<std::vector<Rank>>& starts,
                                              std::uint64_t seed, const Budget& budget,
                                              std::size_t keep);

}  // namespace hpmp
