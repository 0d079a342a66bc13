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
  const auto flow = static_cast<std::size_t>(graph.flow_of(static_cast<std::int32_t>(i)));
  const MessageKind kind = graph.flows[flow].kind;
  if (kind == MessageKind::param_gradient || kind == MessageKind::param) return TaskKind::update;
  return is_backward(kind) ? TaskKind::backward : TaskKind::forward;
}

/// Updates last: they delay no other task of this step.
void by_shard(const TaskGraph& graph, std::vector<double>& out) {
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Task& t = graph.tasks[i];
    const TaskKind kind = purpose(graph, i);
    const double phase = kind == TaskKind::backward ? 0 : kind == TaskKind::forward ? 1 : 2;
    const double g = t.group.index;
    out[i] = (phase * kMany + t.shard) * kMany + (kind == TaskKind::forward ? g : -g);
  }
}

void by_group(const TaskGraph& graph, std::vector<double>& out) {
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Task& t = graph.tasks[i];
    const double g = t.group.index;
    switch (purpose(graph, i)) {
      case TaskKind::forward:
        out[i] = g * kMany + t.shard;
        break;
      case TaskKind::backward:
        out[i] = (2 * kMany - g) * kMany + t.shard;
        break;
      default:
        out[i] = (4 * kMany - g) * kMany;
    }
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
      return by_shard(graph, out);
    case PriorityRule::breadth_first:
      return by_group(graph, out);
  }
}

}  // namespace hpmp
