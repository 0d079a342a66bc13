#include "plan/schedule.h"

#include <algorithm>
#include <queue>
#include <set>
#include <utility>

#include "base/error.h"

namespace hpmp {
namespace {

/// Longest path from each task to the end of the step, messages with latency included.
std::vector<double> upward_ranks(const TaskGraph& graph, const Machine& machine) {
  const std::size_t count = graph.tasks.size();
  std::vector<std::int32_t> waits(count), order;
  for (std::size_t i = 0; i < count; ++i) waits[i] = graph.tasks[i].waits_for;
  for (std::size_t i = 0; i < count; ++i) {
    if (waits[i] == 0) order.push_back(static_cast<std::int32_t>(i));
  }
  for (std::size_t k = 0; k < order.size(); ++k) {
    for (std::int32_t a : graph.tasks[static_cast<std::size_t>(order[k])].after) {
      if (--waits[static_cast<std::size_t>(a)] == 0) order.push_back(a);
    }
  }
  ensure(order.size() == count, "the task graph is acyclic");
  std::vector<double> rank(count, 0);
  for (std::size_t k = count; k-- > 0;) {
    const auto i = static_cast<std::size_t>(order[k]);
    const Task& t = graph.tasks[i];
    double longest = 0;
    for (std::int32_t a : t.after) longest = std::max(longest, rank[static_cast<std::size_t>(a)]);
    rank[i] =
        longest + t.seconds + (t.kind == TaskKind::message ? machine.link_latency_seconds : 0);
  }
  return rank;
}

/// Smaller runs first.
std::vector<double> priorities(const TaskGraph& graph, const Machine& machine, PriorityRule rule) {
  const std::size_t count = graph.tasks.size();
  std::vector<double> key(count);
  if (rule == PriorityRule::upward_rank) {
    key = upward_ranks(graph, machine);
    for (double& k : key) k = -k;
    return key;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Task& t = graph.tasks[i];
    const double g = t.group.index, s = t.shard, groups = 1e5, shards = 1e5;
    if (rule == PriorityRule::one_f_one_b) {
      // Updates last: they delay no other task of this step.
      const double phase = t.kind == TaskKind::backward ? 0 : t.kind == TaskKind::forward ? 1 : 2;
      key[i] = (phase * shards + s) * groups + (phase == 0 ? -g : g);
    } else {
      const bool backward = t.kind == TaskKind::backward;
      key[i] = ((t.kind == TaskKind::update ? 2e5 : backward ? 1e5 - g : g) + 1e5) * shards + s;
    }
  }
  return key;
}

class Simulation {
 public:
  Simulation(const TaskGraph& graph, const Ownership& own, const Machine& machine,
             PriorityRule rule)
      : graph_(graph),
        own_(own),
        machine_(machine),
        key_(priorities(graph, machine, rule)),
        ready_(static_cast<std::size_t>(own.ranks)),
        idle_(static_cast<std::size_t>(own.ranks), true),
        out_free_(static_cast<std::size_t>(own.ranks), 0),
        in_free_(static_cast<std::size_t>(own.ranks), 0) {
    result_.start.assign(graph.tasks.size(), 0);
    result_.end.assign(graph.tasks.size(), 0);
    for (const Task& t : graph.tasks) waits_.push_back(t.waits_for);
  }

  Schedule run() {
    for (std::size_t i = 0; i < waits_.size(); ++i) {
      if (waits_[i] == 0) make_ready(static_cast<std::int32_t>(i), 0);
    }
    start_idle_ranks(0);
    std::size_t finished = 0;
    while (!events_.empty()) {
      const double now = events_.top().first;
      while (!events_.empty() && events_.top().first == now) {
        const std::int32_t i = events_.top().second;
        events_.pop();
        finish(i, now);
        ++finished;
      }
      start_idle_ranks(now);
    }
    ensure(finished == graph_.tasks.size(), "every task was scheduled");
    return std::move(result_);
  }

 private:
  using Event = std::pair<double, std::int32_t>;
  using Queue = std::priority_queue<Event, std::vector<Event>, std::greater<Event>>;

  void make_ready(std::int32_t i, double now) {
    const Task& t = graph_.tasks[static_cast<std::size_t>(i)];
    if (t.kind == TaskKind::message) {
      transmit(i, now);
    } else {
      ready_[static_cast<std::size_t>(t.rank)].push({key_[static_cast<std::size_t>(i)], i});
      may_start_.insert(t.rank);
    }
  }

  void transmit(std::int32_t i, double now) {
    const Task& t = graph_.tasks[static_cast<std::size_t>(i)];
    const Message& m = own_.messages[static_cast<std::size_t>(t.message)];
    double& out = out_free_[static_cast<std::size_t>(m.from)];
    double& in = in_free_[static_cast<std::size_t>(m.to)];
    const double begin = std::max({now, out, in});
    out = in = begin + t.seconds;
    result_.start[static_cast<std::size_t>(i)] = now;
    result_.end[static_cast<std::size_t>(i)] = begin + t.seconds + machine_.link_latency_seconds;
    events_.push({result_.end[static_cast<std::size_t>(i)], i});
  }

  void finish(std::int32_t i, double now) {
    const Task& t = graph_.tasks[static_cast<std::size_t>(i)];
    result_.makespan = std::max(result_.makespan, now);
    if (t.kind != TaskKind::message) {
      idle_[static_cast<std::size_t>(t.rank)] = true;
      may_start_.insert(t.rank);
    }
    for (std::int32_t a : t.after) {
      if (--waits_[static_cast<std::size_t>(a)] == 0) make_ready(a, now);
    }
  }

  void start_idle_ranks(double now) {
    for (Rank rank : std::exchange(may_start_, {})) {
      const auto r = static_cast<std::size_t>(rank);
      if (!idle_[r] || ready_[r].empty()) continue;
      const std::int32_t i = ready_[r].top().second;
      ready_[r].pop();
      idle_[r] = false;
      const Task& t = graph_.tasks[static_cast<std::size_t>(i)];
      result_.busy += t.seconds;
      result_.start[static_cast<std::size_t>(i)] = now;
      result_.end[static_cast<std::size_t>(i)] = now + t.seconds;
      events_.push({now + t.seconds, i});
    }
  }

  const TaskGraph& graph_;
  const Ownership& own_;
  const Machine& machine_;
  std::vector<double> key_;
  std::vector<std::int32_t> waits_;
  std::vector<Queue> ready_;
  std::vector<bool> idle_;
  std::set<Rank> may_start_;  // became idle or got a ready task since ranks were last started
  std::vector<double> out_free_, in_free_;
  Queue events_;
  Schedule result_;
};

}  // namespace

Schedule schedule_tasks(const TaskGraph& graph, const Ownership& own, const Machine& machine,
                        PriorityRule rule) {
  return Simulation(graph, own, machine, rule).run();
}

Schedule best_schedule(const TaskGraph& graph, const Ownership& own, const Machine& machine) {
  Schedule best = schedule_tasks(graph, own, machine, PriorityRule::one_f_one_b);
  for (PriorityRule rule : {PriorityRule::upward_rank, PriorityRule::breadth_first}) {
    Schedule other = schedule_tasks(graph, own, machine, rule);
    if (other.makespan < best.makespan) best = std::move(other);
  }
  return best;
}

}  // namespace hpmp
