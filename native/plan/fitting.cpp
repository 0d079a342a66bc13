#include "plan/fitting.h"

#include <algorithm>
#include <limits>

#include "plan/bundling.h"

namespace hpmp {
namespace {

constexpr int kWindows[] = {4, 2, 1};  // shards under way at once, where any number is too many

std::int64_t goal_of(const Machine& machine) {
  return machine.memory_goal_bytes > 0 ? machine.memory_goal_bytes : machine.memory_limit_bytes;
}

}  // namespace

Schedule fitting_schedule(const Machine& machine, const std::vector<Rank>& part,
                          TaskBuilder& builder, Footprint& footprint) {
  const TaskGraph& graph = builder.linked();
  const auto most_bytes = [&](const Schedule& schedule) {
    const std::vector<std::int64_t>& bytes = footprint.find(part, builder, schedule);
    return *std::max_element(bytes.begin(), bytes.end());
  };
  const std::int64_t goal = goal_of(machine);
  Schedule best = best_schedule(graph, machine);
  if (goal <= 0) return best;
  Scheduler scheduler(machine);
  std::int64_t least = most_bytes(best);
  for (int window : kWindows) {
    if (least <= goal) break;
    for (PriorityRule rule : kPriorityRules) {
      const Schedule& found =
          scheduler.run(graph, rule, std::numeric_limits<double>::infinity(), window);
      const std::int64_t bytes = most_bytes(found);
      const bool better = bytes <= goal && least <= goal ? found.makespan < best.makespan
                                                         : bytes < least && least > goal;
      if (!better) continue;
      best = found;
      least = bytes;
    }
  }
  return best;
}

Schedule planned_schedule(const Machine& machine, const std::vector<Rank>& part,
                          TaskBuilder& builder, Footprint& footprint) {
  const Schedule single = fitting_schedule(machine, part, builder, footprint);
  const auto most_bytes = [&](const Schedule& schedule) {
    const std::vector<std::int64_t>& bytes = footprint.find(part, builder, schedule);
    return *std::max_element(bytes.begin(), bytes.end());
  };
  const std::int64_t goal = goal_of(machine);
  const std::int64_t most = goal > 0 ? std::max(goal, most_bytes(single)) : 0;
  return bundle_messages(machine, builder, single, [&](const Schedule& schedule) {
    return most == 0 || most_bytes(schedule) <= most;
  });
}

}  // namespace hpmp
