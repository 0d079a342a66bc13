#include "plan/priority.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp {
namespace {

constexpr double kMany = 1e6;  // above every group and shard

/// Longest path from each task to the end of the step, negated; messages with latency included.
void by_upward_rank(const TaskGraph& graph, const Machine& machine, std::vector<double>& out) {
  const std::size_t count = graph.tasks.size();
  std::vector<std::int32_t> waits = graph.waits_for, order;
  order.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (waits[i] == 0) order.push_back(static_cast<std::int32_t>(i));
  }
  const auto each_after = [&graph](std::size_t i, auto&& visit) {
    for (std::int32_t k = graph.after_begin[i]; k < graph.after_begin[i + 1]; ++k)
      visit(graph.after[static_cast<std::size_t>(k)]);
  };
  for (std::size_t k = 0; k < order.size(); ++k) {
    each_after(static_cast<std::size_t>(order[k]), [&](std::int32_t a) {
      if (--waits[static_cast<std::size_t>(a)] == 0) order.push_back(a);
    });
  }
  ensure(order.size() == count, "the task graph is acyclic");
  out.assign(count, 0);
  for (std::size_t k = count; k-- > 0;) {
    const auto i = static_cast<std::size_t>(order[k]);
    double longest = 0;  // negated, as in `out`
    each_after(
        i, [&](std::int32_t a) { longest = std::min(longest, out[static_cast<std::size_t>(a)]); });
    const bool message = graph.tasks[i].kind == TaskKind::message;
    out[i] = longest - graph.tasks[i].seconds - (message ? machine.link_latency_seconds : 0);
  }
}

/// What a message is for decides its turn, as if it were the task that waits for it.
TaskKind purpose(const TaskGraph& graph, std::size_t i) {
  const Task& t = graph.tasks[i];
  if (t.kind != TaskKind::message) return t.kind;
  const MessageKind kind = graph.lead_of_task(static_cast<std::int32_t>(i)).kind;
  if (kind == MessageKind::param_gradient || kind == MessageKind::param) return TaskKind::update;
  return is_backward(kind) ? TaskKind::backward : TaskKind::forward;
}

// Updates go before all other tasks, so that the weights are under way under the rest of the
// backward pass. On the wire parameters give way to what other ranks wait for.
constexpr double kUpdate = -kMany * kMany, kParameters = 4 * kMany * kMany;

/// Keys of updates and of messages with parameters, the last group first; false for other tasks.
bool key_of_params(const TaskGraph& graph, std::size_t i, double& key) {
  if (purpose(graph, i) == TaskKind::forward || purpose(graph, i) == TaskKind::backward)
    return false;
  const Task& t = graph.tasks[i];
  key = (t.kind == TaskKind::message ? kParameters : kUpdate) - t.group.index;
  return true;
}

double by_shard(const TaskGraph& graph, std::size_t i) {
  const Task& t = graph.tasks[i];
  const bool forward = purpose(graph, i) == TaskKind::forward;
  const double g = t.group.index, phase = forward ? 1 : 0;
  return (phase * kMany + t.shard) * kMany + (forward ? g : -g);
}

double by_group(const TaskGraph& graph, std::size_t i) {
  const Task& t = graph.tasks[i];
  const double g = t.group.index;
  return (purpose(graph, i) == TaskKind::forward ? g : 2 * kMany - g) * kMany + t.shard;
}

double by_shard_then_group(const TaskGraph& graph, std::size_t i) {
  if (purpose(graph, i) != TaskKind::forward) return by_group(graph, i);
  return graph.tasks[i].shard * kMany + graph.tasks[i].group.index - kMany * kMany / 2;
}

template <class Rule>
void by_rule(const TaskGraph& graph, std::vector<double>& out, Rule&& rule) {
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (!key_of_params(graph, i, out[i])) out[i] = rule(graph, i);
  }
}

}  // namespace

void priorities(const TaskGraph& graph, const Machine& machine, PriorityRule rule,
                std::vector<double>& out) {
  out.resize(graph.tasks.size());
  switch (rule) {
    case PriorityRule::upward_rank:
      return by_upward_rank(graph, machine, out);
    case PriorityRule::one_f_one_b:
      return by_rule(graph, out, by_shard);
    case PriorityRule::breadth_first:
      return by_rule(graph, out, by_group);
    case PriorityRule::shard_then_group:
      return by_rule(graph, out, by_shard_then_group);
  }
}

}  // namespace hpmp
