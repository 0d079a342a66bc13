#include "partition/search.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "partition/memetic.h"

namespace hpmp {
namespace {

using Parts = std::vector<Rank>;

// Shards x bundles of a group that are searched: first coarsely, then from there finely.
constexpr std::int64_t kCoarseSlots = 64, kFineSlots = 256;
constexpr double kCoarseShare = 0.5;    // of the work
constexpr std::size_t kCoarseKept = 6;  // coarse placements that the fine search starts from

void check_options(const Hypergraph& h, int ranks, const SearchOptions& options) {
  const auto bad = [](const std::string& what) { fail(ErrorCode::invalid_argument, what); };
  if (ranks < 1) bad("cannot place cells on " + std::to_string(ranks) + " ranks; give at least 1");
  if (!(options.epsilon >= 0 && options.epsilon < 100)) {
    bad("epsilon " + std::to_string(options.epsilon) + " is no imbalance; 0.03 means 3%");
  }
  const bool positive = std::all_of(options.share.begin(), options.share.end(),
                                    [](double s) { return s > 0 && std::isfinite(s); });
  const bool one_each = options.share.size() == static_cast<std::size_t>(ranks);
  if (!positive || (!options.share.empty() && !one_each)) {
    bad("shares of the ranks must be " + std::to_string(ranks) + " positive numbers");
  }
  if (static_cast<std::size_t>(ranks) > h.cells.size()) {
    fail(ErrorCode::infeasible, std::to_string(ranks) + " ranks are more than the " +
                                    std::to_string(h.cells.size()) +
                                    " cells to spread; use fewer ranks, more shards or smaller "
                                    "blocks");
  }
}

/// Heaviest part over its share, less 1.
double imbalance_of(const std::vector<std::int64_t>& weights, const std::vector<double>& share) {
  double total = 0, shares = 0, worst = 0;
  for (std::int64_t w : weights) total += static_cast<double>(w);
  for (double s : share) shares += s;
  for (std::size_t r = 0; r < weights.size(); ++r) {
    const double fraction =
        share.empty() ? 1.0 / static_cast<double>(weights.size()) : share[r] / shares;
    worst = std::max(worst, static_cast<double>(weights[r]) / (total * fraction) - 1);
  }
  return worst;
}

Candidate measured(const Hypergraph& h, const Balance& balance, Parts part,
                   const std::vector<double>& share) {
  const Placement p = make_placement(h, std::move(part), static_cast<int>(balance.capacity.size()));
  const Metrics m = measure(h, p);
  Candidate c{p.part, 0, m.activation_elems + m.parameter_elems, 0};
  for (std::size_t r = 0; r < balance.capacity.size(); ++r) {
    c.overload += std::max<std::int64_t>(0, m.part_weight[r] - balance.capacity[r]);
  }
  c.imbalance = imbalance_of(m.part_weight, share);
  return c;
}

bool better(const Candidate& a, const Candidate& b) {
  return a.overload != b.overload ? a.overload < b.overload : a.volume < b.volume;
}

/// Sorted, of different quality, at most `keep`.
std::vector<Candidate> best_of(std::vector<Candidate> all, std::size_t keep) {
  std::stable_sort(all.begin(), all.end(), better);
  const auto alike = [](const Candidate& a, const Candidate& b) { return !better(a, b); };
  all.erase(std::unique(all.begin(), all.end(), alike), all.end());
  if (all.size() > keep) all.resize(keep);
  return all;
}

std::chrono::steady_clock::duration duration_of(double seconds) {
  constexpr double kLongest = 1e6;
  const std::chrono::duration<double> length(std::clamp(seconds, 0.0, kLongest));
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(length);
}

}  // namespace

std::vector<Candidate> search_placements(const Hypergraph& h, int ranks,
                                         const SearchOptions& options,
                                         const std::vector<Parts>& starts) {
  check_options(h, ranks, options);
  for (const Parts& start : starts) make_placement(h, start, ranks);
  if (ranks == 1) return {{Parts(h.cells.size(), 0), 0, 0, 0}};
  const auto now = std::chrono::steady_clock::now();
  const auto coarse_work =
      static_cast<std::int64_t>(kCoarseShare * static_cast<double>(options.work));
  const Balance balance = balance_of(h, ranks, options.epsilon, options.share);
  const auto search = [&](std::int64_t slots, const std::vector<Parts>& from, Budget budget,
                          std::size_t keep) {
    const std::int64_t bundles = std::max<std::int64_t>(1, slots / h.grid.shards);
    return memetic_search(bundled_problem(h, bundles, balance), from, options.seed, budget, keep);
  };
  std::vector<Parts> all = starts;
  const Budget first{coarse_work, now + duration_of(options.seconds * kCoarseShare)};
  for (Parts& part : search(kCoarseSlots, starts, first, kCoarseKept)) all.push_back(part);
  const Budget rest{options.work - coarse_work, now + duration_of(options.seconds)};
  for (Parts& part : search(kFineSlots, all, rest, options.keep)) all.push_back(part);
  std::vector<Candidate> found;
  for (Parts& part : all) found.push_back(measured(h, balance, std::move(part), options.share));
  return best_of(std::move(found), options.keep);
}

}  // namespace hpmp
