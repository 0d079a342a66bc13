#include "plan/fitting.h"

#include <algorithm>
#include <limits>

#include "plan/bundling.h"
#include "plan/redo_search.h"

namespace hpmp {
namespace {

constexpr int kWindows[] = {4, 2, 1};  // shards under way at once, where any number is too many

/// With groups to be computed again whatever the memory: as few as can be.
std::int64_t goal_of(const Machine& machine) {
  return machine.recompute == Recompute::always ? 1 : memory_goal(machine);
}

std::int64_t most_bytes(const std::vector<Rank>& part, const TaskBuilder& builder,
                        const Schedule& schedule, Footprint& footprint) {
  const std::vector<std::int64_t>& bytes = footprint.find(part, builder, schedule);
  return *std::max_element(bytes.begin(), bytes.end());
}

/// Fewer and fewer shards under way.
void narrow(const Machine& machine, const std::vector<Rank>& part, const TaskBuilder& builder,
            Footprint& footprint, std::int64_t goal, RedoneSchedule& best) {
  Scheduler scheduler(machine);
  for (int window : kWindows) {
    if (best.bytes <= goal) break;
    for (PriorityRule rule : kPriorityRules) {
      const Schedule& found =
          scheduler.run(builder.graph(), rule, std::numeric_limits<double>::infinity(), window);
      RedoneSchedule narrower{found, {}, most_bytes(part, builder, found, footprint)};
      if (narrower.better_than(best, goal)) best = std::move(narrower);
    }
  }
}

/// Computing groups again, with as many shards under way.
void compute_again(const Machine& machine, const std::vector<Rank>& part, TaskBuilder& builder,
                   Footprint& footprint, std::int64_t goal, RedoneSchedule& best) {
  RedoSearch search(machine, part, builder, footprint, goal);
  std::vector<int> windows{0};
  for (int window : kWindows) {
    if (window < builder.model().h.grid.shards) windows.push_back(window);
  }
  for (int window : windows) {
    for (PriorityRule rule : kPriorityRules) search.improve(best, rule, window);
  }
  builder.redo(best.groups);
  builder.linked();
}

}  // namespace

std::int64_t memory_goal(const Machine& machine) {
  return machine.memory_goal_bytes > 0 ? machine.memory_goal_bytes : machine.memory_limit_bytes;
}

Schedule fitting_schedule(const Machine& machine, const std::vector<Rank>& part,
                          TaskBuilder& builder, Footprint& footprint) {
  Schedule freely = best_schedule(builder.linked(), machine);
  const std::int64_t goal = goal_of(machine);
  if (goal <= 0) return freely;
  const double shortest = freely.makespan;
  const std::int64_t bytes = most_bytes(part, builder, freely, footprint);
  RedoneSchedule best{std::move(freely), {}, bytes};
  narrow(machine, part, builder, footprint, goal, best);
  const bool good = best.bytes <= goal && best.schedule.makespan <= shortest;
  if (!good && machine.recompute != Recompute::never && builder.model().h.grid.training)
    compute_again(machine, part, builder, footprint, goal, best);
  return std::move(best.schedule);
}

Schedule planned_schedule(const Machine& machine, const std::vector<Rank>& part,
                          TaskBuilder& builder, Footprint& footprint) {
  const Schedule single = fitting_schedule(machine, part, builder, footprint);
  const std::int64_t goal = goal_of(machine);
  const std::int64_t most =
      goal > 0 ? std::max(goal, most_bytes(part, builder, single, footprint)) : 0;
  return bundle_messages(machine, builder, single, [&](const Schedule& schedule) {
    return most == 0 || most_bytes(part, builder, schedule, footprint) <= most;
  });
}

}  // namespace hpmp
