#include "partition/refine.h"

#include <algorithm>
#include <limits>

#include "partition/gain_heap.h"

namespace hpmp {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// One partition with its gain tables. Moving v from a to t gains benefit(v) - penalty(v, t):
/// the nets that leave a with v, less the nets that first reach t with v.
class Refiner {
 public:
  Refiner(const KwayProblem& problem, std::vector<Rank>& part)
      : p_(problem),
        part_(part),
        k_(at(problem.parts)),
        pins_in_(problem.net_count() * k_, 0),
        benefit_(problem.vertices(), 0),
        penalty_(problem.vertices() * k_, 0),
        weight_(part_weights(problem, part)),
        locked_(problem.vertices(), 0),
        heaps_(k_) {
    count_pins();
    fill_gains();
    now_ = {overload(p_, weight_), connectivity(p_, part_)};
    for (std::int64_t w : p_.weight) heaviest_ = std::max(heaviest_, w);
  }

  Quality quality() const { return now_; }
  std::int64_t work() const { return work_; }

  /// One pass; true if it found something better, which is then in place.
  bool pass(std::size_t patience, Random& random) {
    fill_heaps(random);
    const Quality start = now_;
    Quality best = start;
    moves_.clear();
    std::size_t best_moves = 0;
    while (moves_.size() < best_moves + patience && step()) {
      if (now_ < best) best = now_, best_moves = moves_.size();
    }
    for (std::size_t i = moves_.size(); i > best_moves; --i) {
      move(moves_[i - 1].vertex, moves_[i - 1].from, false);
    }
    return best < start;
  }

 private:
  struct Move {
    std::int32_t vertex;
    Rank from;
  };

  std::int32_t& pins_in(std::int32_t e, Rank r) { return pins_in_[at(e) * k_ + at(r)]; }
  std::int64_t& penalty(std::int32_t v, Rank r) { return penalty_[at(v) * k_ + at(r)]; }

  void count_pins() {
    for (std::size_t e = 0; e < p_.net_count(); ++e) {
      for (std::int64_t i = p_.pin_begin[e]; i < p_.pin_begin[e + 1]; ++i) {
        ++pins_in_[e * k_ + at(part_[at(p_.pins[at(i)])])];
      }
    }
    work_ += static_cast<std::int64_t>(p_.pins.size());
  }

  void fill_gains() {
    for (std::size_t v = 0; v < p_.vertices(); ++v) {
      for (std::int64_t i = p_.net_begin[v]; i < p_.net_begin[v + 1]; ++i) {
        const auto e = at(p_.nets[at(i)]);
        if (pins_in_[e * k_ + at(part_[v])] == 1) benefit_[v] += p_.cost[e];
        for (std::size_t r = 0; r < k_; ++r) {
          if (pins_in_[e * k_ + r] == 0) penalty_[v * k_ + r] += p_.cost[e];
        }
      }
    }
    work_ += static_cast<std::int64_t>(p_.pins.size());
  }

  bool has_overload() const { return now_.overload > 0; }

  /// Where v should go, or its own part if nowhere. While a part is overloaded only moves that
  /// leave the target within its capacity count; otherwise one vertex too much is let through.
  Rank best_target(std::int32_t v) const {
    const Rank from = part_[at(v)];
    const std::int64_t slack = has_overload() ? 0 : heaviest_;
    Rank best = from;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t r = 0; r < k_; ++r) {
      if (static_cast<Rank>(r) == from) continue;
      if (weight_[r] + p_.weight[at(v)] > p_.capacity[r] + slack) continue;
      const std::int64_t cost = penalty_[at(v) * k_ + r];
      if (cost < least || (cost == least && weight_[r] < weight_[at(best)])) {
        least = cost;
        best = static_cast<Rank>(r);
      }
    }
    return best;
  }

  /// The gain of v's best move if balance did not matter: the key in the heap.
  std::int64_t key(std::int32_t v) const {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t r = 0; r < k_; ++r) {
      if (static_cast<Rank>(r) != part_[at(v)]) least = std::min(least, penalty_[at(v) * k_ + r]);
    }
    return benefit_[at(v)] - least;
  }

  void fill_heaps(Random& random) {
    for (GainHeap& heap : heaps_) heap.reset(p_.vertices());
    for (std::int32_t v : random.permutation(p_.vertices())) {
      locked_[at(v)] = p_.fixed[at(v)] >= 0;
      if (!locked_[at(v)]) heaps_[at(part_[at(v)])].set(v, key(v));
    }
    work_ += static_cast<std::int64_t>(p_.vertices());
  }

  /// The part whose best vertex moves next: overloaded parts first, then the greatest gain.
  Rank next_source() const {
    Rank best = -1;
    std::int64_t greatest = kNever;
    for (std::size_t r = 0; r < k_; ++r) {
      if (heaps_[r].empty()) continue;
      if (has_overload() && weight_[r] <= p_.capacity[r]) continue;
      if (heaps_[r].top_gain() > greatest || best < 0) {
        greatest = heaps_[r].top_gain();
        best = static_cast<Rank>(r);
      }
    }
    return best;
  }

  /// Makes the best allowed move; false when there is none.
  bool step() {
    for (Rank from = next_source(); from >= 0; from = next_source()) {
      GainHeap& heap = heaps_[at(from)];
      const std::int32_t v = heap.top();
      const Rank to = best_target(v);
      if (to == from) {
        heap.remove(v);
        continue;
      }
      const std::int64_t gain = benefit_[at(v)] - penalty(v, to);
      if (gain < heap.top_gain()) {
        heap.set(v, gain);
        if (heap.top() != v) continue;
      }
      heap.remove(v);
      locked_[at(v)] = 1;
      moves_.push_back({v, from});
      move(v, to, true);
      return true;
    }
    return false;
  }

  void move(std::int32_t v, Rank to, bool forward) {
    const Rank from = part_[at(v)];
    now_.volume -= benefit_[at(v)] - penalty(v, to);
    part_[at(v)] = to;
    weight_[at(from)] -= p_.weight[at(v)];
    weight_[at(to)] += p_.weight[at(v)];
    now_.overload = overload(p_, weight_);
    benefit_[at(v)] = 0;
    for (std::int64_t i = p_.net_begin[at(v)]; i < p_.net_begin[at(v) + 1]; ++i) {
      const std::int32_t e = p_.nets[at(i)];
      const std::int32_t left = --pins_in(e, from), now = ++pins_in(e, to);
      if (left == 0) add_penalty(e, from, p_.cost[at(e)], forward);
      if (left == 1) add_benefit(e, from, v, p_.cost[at(e)], forward);
      if (now == 1) add_penalty(e, to, -p_.cost[at(e)], forward);
      if (now == 2) add_benefit(e, to, v, -p_.cost[at(e)], forward);
      if (now == 1) benefit_[at(v)] += p_.cost[at(e)];
    }
    work_ += p_.net_begin[at(v) + 1] - p_.net_begin[at(v)];
  }

  void add_penalty(std::int32_t e, Rank r, std::int64_t change, bool forward) {
    for (std::int64_t i = p_.pin_begin[at(e)]; i < p_.pin_begin[at(e) + 1]; ++i) {
      const std::int32_t u = p_.pins[at(i)];
      penalty(u, r) += change;
      if (forward) update(u);
    }
    work_ += p_.pin_begin[at(e) + 1] - p_.pin_begin[at(e)];
  }

  /// The one pin of e in part r other than v keeps e there alone, or no longer alone.
  void add_benefit(std::int32_t e, Rank r, std::int32_t v, std::int64_t change, bool forward) {
    for (std::int64_t i = p_.pin_begin[at(e)]; i < p_.pin_begin[at(e) + 1]; ++i) {
      const std::int32_t u = p_.pins[at(i)];
      if (u == v || part_[at(u)] != r) continue;
      benefit_[at(u)] += change;
      if (forward) update(u);
      break;
    }
    work_ += p_.pin_begin[at(e) + 1] - p_.pin_begin[at(e)];
  }

  void update(std::int32_t u) {
    if (!locked_[at(u)]) heaps_[at(part_[at(u)])].set(u, key(u));
  }

  const KwayProblem& p_;
  std::vector<Rank>& part_;
  std::size_t k_;
  std::vector<std::int32_t> pins_in_;  // [net][part]
  std::vector<std::int64_t> benefit_;  // [vertex]
  std::vector<std::int64_t> penalty_;  // [vertex][part]
  std::vector<std::int64_t> weight_;   // [part]
  std::vector<char> locked_;
  std::vector<GainHeap> heaps_;  // by part that a vertex is in
  std::vector<Move> moves_;
  Quality now_;
  std::int64_t heaviest_ = 0, work_ = 0;
};

}  // namespace

Quality refine(const KwayProblem& problem, std::vector<Rank>& part, const RefineOptions& options,
               Random& random, std::int64_t& work) {
  Refiner refiner(problem, part);
  for (int i = 0; i < options.passes && problem.parts > 1; ++i) {
    if (!refiner.pass(options.patience, random)) break;
  }
  work += refiner.work();
  return refiner.quality();
}

}  // namespace hpmp
