#include "partition/search.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "partition/grid_problem.h"
#include "partition/multilevel.h"

namespace hpmp {
namespace {

constexpr std::size_t kPopulation = 12;
constexpr std::size_t kStarts = 40;          // hybrids tried before each round of recombination
constexpr std::size_t kCoarsest = 25;        // vertices per part where a cycle turns around
constexpr std::int64_t kSlotsPerGroup = 64;  // shards x bundles of a group that are searched
constexpr int kRoundPatience = 60;           // recombinations without a new best that end a round

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Member {
  std::vector<Rank> part;
  Quality quality;
};

bool better(const Member& a, const Member& b) { return a.quality < b.quality; }

/// A memetic search on bundles: rounds of hybrid starts, then recombination of the best.
class Search {
 public:
  Search(const Hypergraph& h, int ranks, const SearchOptions& options)
      : options_(options),
        grid_(bundled_problem(h, std::max<std::int64_t>(1, kSlotsPerGroup / h.grid.shards),
                              balance_of(h, ranks, options.epsilon, options.share))),
        random_(options.seed),
        began_(std::chrono::steady_clock::now()) {}

  std::vector<Candidate> run(const std::vector<std::vector<Rank>>& starts) {
    for (const std::vector<Rank>& start : starts) add_start(bundled(start));
    do {
      round();
    } while (!is_over());
    return finished();
  }

 private:
  bool is_over() const {
    if (work_ >= options_.work) return true;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began_;
    return spent.count() >= options_.seconds;
  }

  /// A bundle goes where most of its cells were, by count.
  std::vector<Rank> bundled(const std::vector<Rank>& part) const {
    const std::size_t k = at(grid_.problem.parts);
    std::vector<int> votes(grid_.problem.vertices() * k, 0);
    for (std::size_t i = 0; i < part.size(); ++i) ++votes[at(grid_.vertex[i]) * k + at(part[i])];
    std::vector<Rank> out;
    for (std::size_t v = 0; v < grid_.problem.vertices(); ++v) {
      const auto first = votes.begin() + static_cast<std::ptrdiff_t>(v * k);
      out.push_back(static_cast<Rank>(
          std::max_element(first, first + static_cast<std::ptrdiff_t>(k)) - first));
    }
    return out;
  }

  void add_start(std::vector<Rank> part) {
    std::vector<std::int32_t> label(part.begin(), part.end());
    Quality quality = cycle(grid_.problem, part, label, kCoarsest, random_, work_);
    insert({std::move(part), quality});
  }

  void round() {
    for (std::size_t i = 0; i < kStarts && (population_.empty() || !is_over()); ++i) {
      if (i % 8 == 7) {
        Member fresh;
        fresh.quality = cycle(grid_.problem, fresh.part, {}, kCoarsest, random_, work_);
        insert(std::move(fresh));
      } else {
        add_start(hybrid_start(grid_.problem, grid_.shape, grid_.position, random_));
      }
    }
    for (int idle = 0; idle < kRoundPatience && !is_over(); ++idle) {
      if (recombine()) idle = 0;
    }
    for (const Member& m : population_) archive(m);
    population_.clear();
  }

  /// A child of two members, made where vertices that any parent separates stay apart.
  bool recombine() {
    const std::size_t i = random_.below(population_.size()), j = random_.below(population_.size());
    const Member& first = population_[std::min(i, j)];
    const Member& second = population_[std::max(i, j)];
    std::vector<std::int32_t> label(first.part.size());
    for (std::size_t v = 0; v < label.size(); ++v) {
      label[v] = first.part[v] * grid_.problem.parts + second.part[v];
    }
    Member child{first.part, {}};
    child.quality = cycle(grid_.problem, child.part, label, kCoarsest, random_, work_);
    const bool new_best = better(child, population_.front());
    insert(std::move(child));
    return new_best;
  }

  /// Keeps the population sorted, small and of different volumes.
  void insert(Member m) {
    for (const Member& other : population_) {
      if (!better(m, other) && !better(other, m)) return;
    }
    population_.insert(std::upper_bound(population_.begin(), population_.end(), m, better),
                       std::move(m));
    if (population_.size() > kPopulation) population_.pop_back();
  }

  void archive(const Member& m) {
    for (const Member& other : best_) {
      if (!better(m, other) && !better(other, m)) return;
    }
    best_.insert(std::upper_bound(best_.begin(), best_.end(), m, better), m);
    if (best_.size() > options_.keep) best_.pop_back();
  }

  std::vector<Candidate> finished() {
    std::vector<Candidate> out;
    for (const Member& m : best_) {
      Candidate c;
      for (std::int32_t v : grid_.vertex) c.part.push_back(m.part[at(v)]);
      c.volume = m.quality.volume;
      c.overload = m.quality.overload;
      c.imbalance = imbalance(m.part);
      out.push_back(std::move(c));
    }
    return out;
  }

  double imbalance(const std::vector<Rank>& part) const {
    const std::vector<std::int64_t> weights = part_weights(grid_.problem, part);
    double total = 0, shares = 0, worst = 0;
    for (std::int64_t w : weights) total += static_cast<double>(w);
    for (double s : options_.share) shares += s;
    for (std::size_t r = 0; r < weights.size(); ++r) {
      const double fraction = options_.share.empty() ? 1.0 / static_cast<double>(weights.size())
                                                     : options_.share[r] / shares;
      worst = std::max(worst, static_cast<double>(weights[r]) / (total * fraction) - 1);
    }
    return worst;
  }

  SearchOptions options_;
  GridProblem grid_;
  Random random_;
  std::chrono::steady_clock::time_point began_;
  std::int64_t work_ = 0;
  std::vector<Member> population_, best_;
};

void check_options(const Hypergraph& h, int ranks, const SearchOptions& options) {
  const auto bad = [](const std::string& what) { fail(ErrorCode::invalid_argument, what); };
  if (ranks < 1) bad("cannot place cells on " + std::to_string(ranks) + " ranks; give at least 1");
  if (!(options.epsilon >= 0 && options.epsilon < 100)) {
    bad("epsilon " + std::to_string(options.epsilon) + " is no imbalance; 0.03 means 3%");
  }
  const bool positive = std::all_of(options.share.begin(), options.share.end(),
                                    [](double s) { return s > 0 && std::isfinite(s); });
  if (!positive || (!options.share.empty() && options.share.size() != at(ranks))) {
    bad("shares of the ranks must be " + std::to_string(ranks) + " positive numbers");
  }
  if (at(ranks) > h.cells.size()) {
    fail(ErrorCode::infeasible, std::to_string(ranks) + " ranks are more than the " +
                                    std::to_string(h.cells.size()) +
                                    " cells to spread; use fewer ranks, more shards or smaller "
                                    "blocks");
  }
}

Candidate whole(const Hypergraph& h) { return {std::vector<Rank>(h.cells.size(), 0), 0, 0, 0}; }

}  // namespace

std::vector<Candidate> search_placements(const Hypergraph& h, int ranks,
                                         const SearchOptions& options,
                                         const std::vector<std::vector<Rank>>& starts) {
  check_options(h, ranks, options);
  for (const std::vector<Rank>& start : starts) make_placement(h, start, ranks);
  if (ranks == 1) return {whole(h)};
  return Search(h, ranks, options).run(starts);
}

}  // namespace hpmp
