#include "partition/memetic.h"

#include <algorithm>

#include "partition/multilevel.h"

namespace hpmp {
namespace {

constexpr std::size_t kPopulation = 12;
constexpr std::size_t kStarts = 40;    // tried before each round of recombination
constexpr std::size_t kFresh = 8;      // every so many of them from nothing, the rest hybrids
constexpr std::size_t kCoarsest = 25;  // vertices per part where a cycle turns around
constexpr int kRoundPatience = 60;     // recombinations without a new best that end a round

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Member {
  std::vector<Rank> part;
  Quality quality;
};

bool better(const Member& a, const Member& b) { return a.quality < b.quality; }

/// Puts a member among others that stay sorted, at most `most`, and of different qualities.
void insert(std::vector<Member>& members, Member m, std::size_t most) {
  const auto after = std::lower_bound(members.begin(), members.end(), m, better);
  if (after != members.end() && !better(m, *after)) return;
  members.insert(after, std::move(m));
  if (members.size() > most) members.pop_back();
}

class Memetic {
 public:
  Memetic(const GridProblem& grid, std::uint64_t seed, const Budget& budget, std::size_t keep)
      : grid_(grid), problem_(grid.problem), random_(seed), budget_(budget), keep_(keep) {}

  std::vector<std::vector<Rank>> run(const std::vector<std::vector<Rank>>& starts) {
    for (const std::vector<Rank>& start : starts) {
      if (!population_.empty() && is_over()) break;
      improve(bundled(start));
    }
    do {
      round();
    } while (!is_over());
    std::vector<std::vector<Rank>> found;
    for (const Member& m : best_) found.push_back(of_cells(m.part));
    return found;
  }

 private:
  bool is_over() const {
    return work_ >= budget_.work || std::chrono::steady_clock::now() >= budget_.end;
  }

  /// A bundle goes where most of its cells were, by count.
  std::vector<Rank> bundled(const std::vector<Rank>& part) const {
    const std::size_t k = at(problem_.parts);
    std::vector<int> votes(problem_.vertices() * k, 0);
    for (std::size_t i = 0; i < part.size(); ++i) ++votes[at(grid_.vertex[i]) * k + at(part[i])];
    std::vector<Rank> out;
    for (std::size_t v = 0; v < problem_.vertices(); ++v) {
      const auto first = votes.begin() + static_cast<std::ptrdiff_t>(v * k);
      const auto most = std::max_element(first, first + static_cast<std::ptrdiff_t>(k)) - first;
      out.push_back(problem_.fixed[v] >= 0 ? problem_.fixed[v] : static_cast<Rank>(most));
    }
    return out;
  }

  std::vector<Rank> of_cells(const std::vector<Rank>& part) const {
    std::vector<Rank> out;
    for (std::int32_t v : grid_.vertex) out.push_back(part[at(v)]);
    return out;
  }

  void improve(std::vector<Rank> part) {
    const std::vector<std::int32_t> label(part.begin(), part.end());
    const Quality quality = cycle(problem_, part, label, kCoarsest, random_, work_);
    insert(population_, {std::move(part), quality}, kPopulation);
  }

  void round() {
    for (std::size_t i = 0; i < kStarts && (population_.empty() || !is_over()); ++i) {
      if (i % kFresh == kFresh - 1) {
        Member fresh;
        fresh.quality = cycle(problem_, fresh.part, {}, kCoarsest, random_, work_);
        insert(population_, std::move(fresh), kPopulation);
      } else {
        improve(hybrid_start(problem_, grid_.shape, grid_.position, random_));
      }
    }
    for (int idle = 0; idle < kRoundPatience && !is_over(); ++idle) {
      if (recombine()) idle = 0;
    }
    for (const Member& m : population_) insert(best_, m, keep_);
    population_.clear();
  }

  /// A child of two members, made where vertices that either parent separates stay apart; true if
  /// it is a new best.
  bool recombine() {
    const std::size_t i = random_.below(population_.size()), j = random_.below(population_.size());
    const Member& first = population_[std::min(i, j)];
    const Member& second = population_[std::max(i, j)];
    std::vector<std::int32_t> label(first.part.size());
    for (std::size_t v = 0; v < label.size(); ++v) {
      label[v] = first.part[v] * problem_.parts + second.part[v];
    }
    Member child{first.part, {}};
    child.quality = cycle(problem_, child.part, label, kCoarsest, random_, work_);
    const bool new_best = better(child, population_.front());
    insert(population_, std::move(child), kPopulation);
    return new_best;
  }

  const GridProblem& grid_;
  const KwayProblem& problem_;
  Random random_;
  Budget budget_;
  std::size_t keep_;
  std::int64_t work_ = 0;
  std::vector<Member> population_, best_;
};

}  // namespace

std::vector<std::vector<Rank>> memetic_search(const GridProblem& grid,
                                              const std::vector<std::vector<Rank>>& starts,
                                              std::uint64_t seed, const Budget& budget,
                                              std::size_t keep) {
  return Memetic(grid, seed, budget, keep).run(starts);
}

}  // namespace hpmp
