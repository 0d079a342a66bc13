#include "planner/improve.h"

#include <chrono>

#include "base/error.h"
#include "partition/baselines.h"
#include "partition/search.h"
#include "planner/columns.h"
#include "planner/ladder.h"
#include "planner/memory_fit.h"
#include "planner/moves.h"

namespace hpmp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::size_t kLeaders = 8;   // starts that are improved, of which half survive each round
constexpr double kWarmest = 0.01;     // how much slower a step may be and be accepted, at first
constexpr double kTryAllRules = 0.3;  // share of moves that are judged under every rule
constexpr double kHopeless = 2;       // times the best start: too slow to start from
constexpr double kAlike = 1.0005;     // times this count as the same placement
constexpr double kColumnsWork = 0.3;  // share of the work for columns
constexpr std::size_t kBoundaries = 16;  // tried between segments of the network
constexpr double kNearlyIdeal = 1.01;    // times the compute evenly shared: worth no more search

struct State {
  std::vector<Rank> part;
  double seconds = 0;
  PriorityRule rule = PriorityRule::one_f_one_b;
  std::vector<Rank> best_part;
  double best_seconds = 0;
};

/// All cells' work, shared evenly by speed and nothing else.
double ideal_seconds(const StepModel& model, int ranks) {
  double work = 0, speed = 0;
  for (const StepGroup& group : model.groups) {
    for (const PassSeconds& cell : group.cells)
      work += cell.forward + (group.backward ? cell.backward : 0);
  }
  for (Rank r = 0; r < ranks; ++r) speed += model.machine.speed(r);
  return work * static_cast<double>(model.h.grid.shards) / speed;
}

class Improver {
 public:
  Improver(const StepModel& model, int ranks, const std::vector<std::vector<Rank>>& starts,
           const ImproveOptions& options)
      : evaluator_(model, ranks),
        mover_(model, ranks, starts, options.seed),
        end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(options.seconds))),
        model_(model),
        ranks_(ranks),
        memory_(model, ranks),
        work_(options.work) {
    for (const std::vector<Rank>& start : starts) add(start);
    if (!states_.empty()) return;
    hard_ = true;
    memory_.compute_again();
    for (const std::vector<Rank>& start : starts) add(start);
  }

  /// Adds a start, unless it does not fit or is hopeless.
  void add(const std::vector<Rank>& start) {
    if (!worth_a_look(start)) return;
    State s{start, 0, {}, start, 0};
    s.seconds = evaluator_.best_seconds(start, hopeless(), s.rule);
    if (!(s.seconds < kNever)) return;
    s.best_seconds = memory_.seconds(start, s.seconds);
    if (s.best_seconds < kNever) states_.push_back(std::move(s));
  }

  /// Adds the best of many placements that are looked at under one rule only.
  void add_best_of(std::vector<std::vector<Rank>> placements, std::size_t keep) {
    std::vector<State> looked;
    for (std::vector<Rank>& part : placements) {
      if (!worth_a_look(part)) continue;
      const double seconds = evaluator_.seconds(part, PriorityRule::upward_rank, hopeless());
      if (seconds < kNever)
        looked.push_back({std::move(part), seconds, PriorityRule::upward_rank, {}, seconds});
    }
    std::stable_sort(looked.begin(), looked.end(),
                     [](const State& a, const State& b) { return a.seconds < b.seconds; });
    if (looked.size() > keep) looked.resize(keep);
    for (const State& s : looked) add(s.part);
  }

  /// Adds the best arrangement of each group over all ranks in rows and columns.
  std::vector<Rank> add_columns() {
    const std::int64_t until =
        evaluator_.work() + static_cast<std::int64_t>(kColumnsWork * static_cast<double>(work_));
    std::vector<Rank> found = best_columns(evaluator_, model_.h, ranks_, kBoundaries, [&] {
      return evaluator_.work() >= until || Clock::now() >= end_;
    });
    add(found);
    return found;
  }

  /// Whether a start is so good that no search is worth its while.
  bool nearly_ideal() const { return best_seconds() <= enough_; }

  TimedPlacement run() {
    if (states_.empty())
      fail(ErrorCode::infeasible, "no placement to start from fits the memory of a rank");
    keep_best(kLeaders);
    const std::int64_t done = evaluator_.work();
    const std::int64_t left = std::max<std::int64_t>(0, work_ - done);
    int rounds = 1;
    for (std::size_t n = states_.size(); n > 1; n /= 2) ++rounds;
    for (int round = 0; round < rounds; ++round) {
      const auto share = left / rounds / static_cast<std::int64_t>(states_.size());
      for (State& s : states_)
        search(s, share, 1.0 - static_cast<double>(round) / rounds, 1.0 - (round + 1.0) / rounds);
      keep_best((states_.size() + 1) / 2);
    }
    return {states_[0].best_part, states_[0].best_seconds};
  }

 private:
  double best_seconds() const {
    double best = kNever;
    for (const State& s : states_) best = std::min(best, s.best_seconds);
    return best;
  }

  double hopeless() const { return kHopeless * best_seconds(); }

  /// One start is always looked at, whatever the time, unless it must be searched for what to free.
  bool worth_a_look(const std::vector<Rank>& start) {
    if (states_.empty()) return !hard_ || Clock::now() < end_;
    return !nearly_ideal() && Clock::now() < end_ && evaluator_.least_seconds(start) < hopeless();
  }

  void keep_best(std::size_t most) {
    std::stable_sort(states_.begin(), states_.end(), [](const State& a, const State& b) {
      return a.best_seconds < b.best_seconds;
    });
    const auto alike = [](const State& a, const State& b) {
      return b.best_seconds <= a.best_seconds * kAlike;
    };
    states_.erase(std::unique(states_.begin(), states_.end(), alike), states_.end());
    if (states_.size() > most) states_.resize(most);
  }

  void search(State& s, std::int64_t work, double warm_from, double warm_to) {
    const std::int64_t first = evaluator_.work();
    s.part = s.best_part;
    s.seconds = s.best_seconds;
    evaluator_.seconds(s.part, s.rule, 0);
    std::vector<Evaluator::Load> loads = evaluator_.loads();
    for (int i = 0; evaluator_.work() - first < work; ++i) {
      if (i % 16 == 0 && (Clock::now() > end_ || s.best_seconds <= enough_)) return;
      const double done =
          static_cast<double>(evaluator_.work() - first) / static_cast<double>(work);
      const double warmth = kWarmest * (warm_from + (warm_to - warm_from) * done);
      if (!mover_.propose(s.part, loads)) continue;
      const bool accepted = judge(s, 1 + warmth * mover_.random().unit());
      if (accepted) {
        loads = evaluator_.loads();
      } else {
        mover_.undo(s.part);
      }
    }
  }

  bool judge(State& s, double slack) {
    const double limit = s.seconds * slack;
    PriorityRule rule = s.rule;
    const bool all = mover_.random().unit() < kTryAllRules;
    const double found = all ? evaluator_.best_seconds(s.part, limit, rule)
                             : evaluator_.seconds(s.part, rule, limit);
    mover_.reward(found < s.seconds);
    if (!(found < limit)) return false;
    s.seconds = found;
    s.rule = rule;
    const double fitting = found < s.best_seconds ? memory_.seconds(s.part, found) : kNever;
    if (fitting < s.best_seconds) {
      s.best_seconds = fitting;
      s.best_part = s.part;
    }
    return true;
  }

  Evaluator evaluator_;
  Mover mover_;
  Clock::time_point end_;
  const StepModel& model_;
  int ranks_;
  double enough_ = kNearlyIdeal * ideal_seconds(model_, ranks_);
  bool hard_ = false;  // nothing fits unless something is computed again
  MemoryFit memory_;
  std::int64_t work_;
  std::vector<State> states_;
};

constexpr double kLadderWork = 0.3;  // share of the work for the search on fewer ranks
constexpr std::size_t kSegmentsKept = 3;
constexpr double kLooseBalance = 0.3;  // imbalance: little volume counts more

/// Classical placements; those that the grid has none of are left out.
std::vector<std::vector<Rank>> classical_starts(const Hypergraph& h, int ranks) {
  std::vector<std::vector<Rank>> starts;
  for (const char* name : {"data", "layer", "filter", "owt"}) {
    try {
      starts.push_back(baseline(h, name, ranks).part);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::infeasible) throw;
    }
  }
  return starts;
}

/// Those, and placements of little volume, loosely balanced.
std::vector<std::vector<Rank>> searched_starts(const Hypergraph& h, int ranks,
                                               const ImproveOptions& options) {
  std::vector<std::vector<Rank>> starts = classical_starts(h, ranks);
  SearchOptions search;
  search.epsilon = kLooseBalance;
  search.seed = options.seed;
  search.work = options.work;
  search.seconds = options.seconds / 2;
  search.keep = 3;
  for (Candidate& found : search_placements(h, ranks, search, starts))
    starts.push_back(std::move(found.part));
  return starts;
}

/// Adds what is found on fewer ranks, as it is and divided up, to `starts`.
void climb(const Hypergraph& h, Machine machine, int ranks, ImproveOptions options,
           std::vector<std::vector<Rank>>& starts) {
  const int fewer = fewer_ranks(ranks);
  std::vector<Rank> below(h.cells.size(), 0);
  if (fewer > 1) {
    if (!machine.rank_speed.empty()) machine.rank_speed.resize(static_cast<std::size_t>(fewer));
    machine.memory_limit_bytes = 0;
    options.work = static_cast<std::int64_t>(kLadderWork * static_cast<double>(options.work));
    options.seconds *= kLadderWork;
    const std::vector<std::vector<Rank>> from = searched_starts(h, fewer, options);
    below = improve_time(h, machine, fewer, from, options).part;
  }
  starts.push_back(divided_by_shards(h, below, ranks / fewer));
  starts.push_back(divided_by_blocks(h, below, ranks / fewer));
  starts.push_back(std::move(below));
}

}  // namespace

TimedPlacement improve_time(const Hypergraph& h, const Machine& machine, int ranks,
                            const std::vector<std::vector<Rank>>& starts,
                            const ImproveOptions& options) {
  if (starts.empty())
    fail(ErrorCode::invalid_argument, "the search for short steps needs a placement to start from");
  for (const std::vector<Rank>& start : starts) check_parts(h, start, ranks);
  std::vector<std::vector<Rank>> all = starts;
  ImproveOptions own = options;
  const bool ladder = options.ladder && ranks > 1;
  if (ladder)
    own.work = static_cast<std::int64_t>((1 - kLadderWork) * static_cast<double>(options.work));
  const StepModel model = make_step_model(h, machine);
  Improver improver(model, ranks, all, own);
  if (ladder && !improver.nearly_ideal()) {
    climb(h, machine, ranks, options, all);
    for (std::size_t i = starts.size(); i < all.size(); ++i) improver.add(all[i]);
    all.push_back(improver.add_columns());
    improver.add_best_of(two_segments(model, ranks, kBoundaries), kSegmentsKept);
  }
  return improver.run();
}

}  // namespace hpmp
