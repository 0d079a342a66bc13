#include "plan/redo_search.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace hpmp {
namespace {

constexpr std::int64_t kWork = 300'000;  // tasks simulated
constexpr std::int64_t kLeastTrials = 16, kMostTrials = 240;
constexpr int kRounds = 16;  // of adding groups
// Shares of a rank's activations that are there again at once, at most; 0: of one group.
constexpr double kSegments[] = {0, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2};

}  // namespace

bool RedoneSchedule::better_than(const RedoneSchedule& other, std::int64_t goal) const {
  if (bytes > goal || other.bytes > goal) return bytes < other.bytes;
  return schedule.makespan < other.schedule.makespan;
}

RedoSearch::RedoSearch(const Machine& machine, const std::vector<Rank>& part, TaskBuilder& builder,
                       Footprint& footprint, std::int64_t goal)
    : machine_(machine),
      part_(part),
      builder_(builder),
      footprint_(footprint),
      goal_(goal),
      scheduler_(machine) {
  const auto tasks = static_cast<std::int64_t>(builder.graph().tasks.size());
  trials_ = std::clamp(kWork / std::max<std::int64_t>(tasks, 1), kLeastTrials, kMostTrials);
}

void RedoSearch::improve(RedoneSchedule& best, PriorityRule rule, int window) {
  if (trials_ <= 0) return;
  const RedoneSchedule none = simulate({}, rule, window);
  if (best.bytes <= goal_ && none.schedule.makespan >= best.schedule.makespan) return;
  if (!seen_.insert({none.schedule.makespan, none.bytes}).second) return;
  task_bytes_.clear();
  std::int64_t most = 0;
  for (Rank r = 0; r < builder_.graph().ranks; ++r) {
    std::vector<std::int64_t>& bytes = task_bytes_.emplace_back();
    for (const LivePeak::Spare& spare : footprint_.spares(r)) bytes.push_back(spare.task_bytes);
    most = std::max(most, std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0}));
  }
  RedoneSchedule found = none;
  for (double share : kSegments)
    grow(found, none, static_cast<std::int64_t>(share * static_cast<double>(most)));
  polish(found);
  if (found.better_than(best, goal_)) best = std::move(found);
}

/// Frees more and more until the step keeps the memory.
void RedoSearch::grow(RedoneSchedule& best, const RedoneSchedule& none,
                      std::int64_t segment_bytes) {
  RedoneSchedule found = simulate({}, none.schedule.rule, none.schedule.window);
  for (int round = 0; round < kRounds && found.bytes > goal_ && trials_ > 0; ++round) {
    if (!add(found, segment_bytes)) return;
    if (found.better_than(best, goal_)) best = found;
  }
}

/// Takes groups back, the slowest first, or adds some, as long as that is better.
void RedoSearch::polish(RedoneSchedule& best) {
  std::vector<std::pair<double, GroupId>> slowest;
  const Rank ranks = builder_.graph().ranks;
  for (std::size_t g = 0; g < builder_.model().groups.size(); ++g) {
    const GroupId id(static_cast<std::int64_t>(g));
    double seconds = 0;
    for (Rank r = 0; r < ranks; ++r) seconds = std::max(seconds, builder_.redo_seconds(id, r));
    if (seconds > 0 && builder_.model().groups[g].redoable) slowest.emplace_back(-seconds, id);
  }
  std::sort(slowest.begin(), slowest.end());
  const std::int64_t left = trials_ / 3;  // for other rules and windows
  for (bool any = true; any;) {
    any = false;
    for (const auto& [seconds, g] : slowest) {
      if (trials_ <= left) return;
      any |= toggle(best, g);
    }
  }
}

/// On all ranks at once: they wait for each other.
bool RedoSearch::toggle(RedoneSchedule& best, GroupId g) {
  std::vector<char> groups = best.groups;
  if (groups.empty()) return false;
  const auto first = groups.begin() + static_cast<std::ptrdiff_t>(at(g, 0));
  const auto last = first + builder_.graph().ranks;
  const bool set = std::find(first, last, 1) != last;
  if (!set && best.bytes <= goal_) return false;
  std::fill(first, last, set ? 0 : 1);
  RedoneSchedule found = simulate(std::move(groups), best.schedule.rule, best.schedule.window);
  if (!found.better_than(best, goal_)) return false;
  best = std::move(found);
  return true;
}

/// Adds groups on every rank that needs too much; false where no more can be had. `found` is what
/// was simulated last.
bool RedoSearch::add(RedoneSchedule& found, std::int64_t segment_bytes) {
  std::vector<char> groups = found.groups;
  bool any = false;
  for (Rank r = 0; r < builder_.graph().ranks; ++r) {
    const std::int64_t excess = rank_bytes_[static_cast<std::size_t>(r)] - goal_;
    if (excess > 0) any |= add_on(r, excess, segment_bytes, groups);
  }
  if (any) found = simulate(std::move(groups), found.schedule.rule, found.schedule.window);
  return any;
}

bool RedoSearch::add_on(Rank r, std::int64_t excess, std::int64_t segment_bytes,
                        std::vector<char>& groups) {
  bool any = false;
  if (groups.empty()) groups.assign(task_bytes_[0].size() * task_bytes_.size(), 0);
  for (const Choice& choice : choices(r, footprint_.spares(r))) {
    char& redone = groups[at(choice.group, r)];
    redone = 1;
    const std::int64_t most =
        std::max(segment_bytes, task_bytes_[static_cast<std::size_t>(r)][choice.group.at()]);
    if (longest_segment(r, groups) > most) {
      redone = 0;
      continue;
    }
    any = true;
    excess -= choice.bytes;
    if (excess <= 0) break;
  }
  return any;
}

/// The most bytes for each second first.
std::vector<RedoSearch::Choice> RedoSearch::choices(
    Rank r, const std::vector<LivePeak::Spare>& spares) const {
  std::vector<Choice> all;
  for (std::size_t g = 0; g < spares.size(); ++g) {
    const GroupId id(static_cast<std::int64_t>(g));
    if (spares[g].idle_bytes > 0)
      all.push_back({id, spares[g].idle_bytes, builder_.redo_seconds(id, r)});
  }
  std::stable_sort(all.begin(), all.end(), [](const Choice& a, const Choice& b) {
    return static_cast<double>(a.bytes) * b.seconds > static_cast<double>(b.bytes) * a.seconds;
  });
  return all;
}

/// Bytes of the groups that are computed again at once, of one shard.
std::int64_t RedoSearch::longest_segment(Rank r, const std::vector<char>& groups) const {
  const std::vector<std::int64_t>& bytes = task_bytes_[static_cast<std::size_t>(r)];
  const StepModel& model = builder_.model();
  std::vector<std::size_t> before(bytes.size());  // by group: the one that it is computed for
  std::map<std::size_t, std::int64_t> segments;
  for (std::size_t g = bytes.size(); g-- > 0;) {
    const GroupId id(static_cast<std::int64_t>(g));
    before[g] = g;
    if (!groups[at(id, r)]) continue;
    for (GroupId c : model.groups[g].backward_readers) before[g] = std::max(before[g], c.at());
    for (GroupId c : model.groups[g].consumers) {
      if (groups[at(c, r)]) before[g] = std::max(before[g], before[c.at()]);
    }
    segments[before[g]] += bytes[g];
  }
  std::int64_t most = 0;
  for (const auto& [last, sum] : segments) most = std::max(most, sum);
  return most;
}

RedoneSchedule RedoSearch::simulate(std::vector<char> groups, PriorityRule rule, int window) {
  --trials_;
  builder_.redo(groups);
  RedoneSchedule found;
  found.schedule =
      scheduler_.run(builder_.linked(), rule, std::numeric_limits<double>::infinity(), window);
  rank_bytes_ = footprint_.find(part_, builder_, found.schedule);
  found.groups = std::move(groups);
  found.bytes = *std::max_element(rank_bytes_.begin(), rank_bytes_.end());
  return found;
}

std::size_t RedoSearch::at(GroupId g, Rank r) const {
  return g.at() * static_cast<std::size_t>(builder_.graph().ranks) + static_cast<std::size_t>(r);
}

}  // namespace hpmp
