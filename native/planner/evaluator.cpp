#include "planner/evaluator.h"

namespace hpmp {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

}  // namespace

double Evaluator::seconds(const std::vector<Rank>& part, PriorityRule rule, double limit) {
  if (place(part) >= limit) return kNever;
  work_ += static_cast<std::int64_t>(builder_.graph().tasks.size());
  return scheduler_.run(builder_.linked(), rule, limit).makespan;
}

double Evaluator::best_seconds(const std::vector<Rank>& part, double limit, PriorityRule& rule) {
  double best = kNever;
  if (place(part) >= limit) return best;
  const TaskGraph& graph = builder_.linked();
  for (PriorityRule tried : kPriorityRules) {
    work_ += static_cast<std::int64_t>(graph.tasks.size());
    const double found = scheduler_.run(graph, tried, std::min(best, limit)).makespan;
    if (found < best) best = found, rule = tried;
  }
  return best;
}

double Evaluator::least_seconds(const std::vector<Rank>& part) {
  find_holders(model_, part, holders_);
  std::vector<double> compute(static_cast<std::size_t>(ranks_), 0);
  std::size_t i = 0;
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    const StepGroup& group = model_.groups[g];
    const GroupId id(static_cast<std::int64_t>(g));
    const auto end = static_cast<std::size_t>(holders_.begin[holders_.at(id, 0) + shards()]);
    for (; i < end; ++i) {
      const Holder& holder = holders_.list[i];
      double seconds = group.fixed.forward + holder.seconds.forward;
      if (group.backward) seconds += group.fixed.backward + holder.seconds.backward;
      compute[static_cast<std::size_t>(holder.rank)] += seconds / model_.machine.speed(holder.rank);
    }
  }
  return *std::max_element(compute.begin(), compute.end());
}

/// No schedule is shorter than what one rank computes, sends or receives.
double Evaluator::place(const std::vector<Rank>& part) {
  builder_.place(part);
  const TaskGraph& graph = builder_.graph();
  work_ += static_cast<std::int64_t>(graph.tasks.size()) / 4;
  loads_.assign(static_cast<std::size_t>(graph.ranks), {});
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Task& t = graph.tasks[i];
    Load& load = loads_[static_cast<std::size_t>(t.rank)];
    if (t.kind != TaskKind::message) {
      load.compute += t.seconds;
      continue;
    }
    load.out += t.seconds;
    const Flow& flow = graph.lead_of_task(static_cast<std::int32_t>(i));
    loads_[static_cast<std::size_t>(flow.to)].in += t.seconds;
  }
  double most = 0;
  for (const Load& load : loads_) most = std::max(most, load.most());
  return most;
}

}  // namespace hpmp
