#include "plan/schedule.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "base/error.h"

namespace hpmp {
namespace {

template <class T>
void push(std::vector<T>& heap, T value) {
  heap.push_back(std::move(value));
  std::push_heap(heap.begin(), heap.end(), std::greater<T>());
}

template <class T>
T pop(std::vector<T>& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<T>());
  T value = std::move(heap.back());
  heap.pop_back();
  return value;
}

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

}  // namespace

const Schedule& Scheduler::run(const TaskGraph& graph, PriorityRule rule, double limit,
                               int window) {
  reset(graph, rule, window);
  for (std::size_t i = 0; i < waits_.size(); ++i) {
    if (graph.waits_for[i] == 0) make_ready(static_cast<std::int32_t>(i), 0);
  }
  double now = 0;
  while (true) {
    std::sort(woken_.begin(), woken_.end());
    for (Rank r : woken_) start_task(r, now);
    woken_.clear();
    if (events_.empty()) break;
    now = events_.front().at;
    if (now >= limit) {
      result_.makespan = std::numeric_limits<double>::infinity();
      return result_;
    }
    while (!events_.empty() && events_.front().at == now) take(pop(events_));
  }
  return result_;
}

void Scheduler::reset(const TaskGraph& graph, PriorityRule rule, int window) {
  graph_ = &graph;
  window_.reset(graph, window);
  priorities(graph, machine_, rule, key_);
  waits_ = graph.waits_for;
  const auto ranks = at(graph.ranks);
  ready_.resize(ranks);
  for (Queue& queue : ready_) queue.clear();
  idle_.assign(ranks, 1);
  woken_.clear();
  events_.clear();
  find_channels();
  result_.start.assign(graph.tasks.size(), 0);
  result_.end.assign(graph.tasks.size(), 0);
  result_.makespan = result_.busy = 0;
  result_.rule = rule;
  result_.window = window;
}

/// One channel for each pair of ranks that talk.
void Scheduler::find_channels() {
  channels_.clear();
  out_.assign(at(graph_->ranks), {});
  in_.assign(at(graph_->ranks), {});
  std::map<std::pair<Rank, Rank>, std::int32_t> known;
  channel_of_.clear();
  for (std::int32_t m = 0; m < graph_->messages(); ++m) {
    const Flow& flow = graph_->lead(m);
    const auto next = static_cast<std::int32_t>(channels_.size());
    const auto [it, is_new] = known.try_emplace({flow.from, flow.to}, next);
    channel_of_.push_back(it->second);
    if (!is_new) continue;
    channels_.push_back({flow.from, flow.to, {}});
    out_[at(flow.from)].channels.push_back(next);
    in_[at(flow.to)].channels.push_back(next);
  }
}

void Scheduler::make_ready(std::int32_t i, double now) {
  const Task& t = graph_->tasks[at(i)];
  if (t.kind == TaskKind::message) {
    Channel& channel = channels_[at(channel_of_[at(i - graph_->first_message)])];
    result_.start[at(i)] = now;
    push(channel.waiting, {key_[at(i)], i});
    start_messages(out_[at(channel.from)], now);
  } else if (t.kind == TaskKind::summed) {
    result_.start[at(i)] = result_.end[at(i)] = now;
    finish(i, now);
  } else if (window_.admits(i)) {
    queue(i);
  }
}

void Scheduler::queue(std::int32_t i) {
  const Rank r = graph_->tasks[at(i)].rank;
  push(ready_[at(r)], {key_[at(i)], i});
  woken_.push_back(r);
}

void Scheduler::finish(std::int32_t i, double now) {
  result_.makespan = std::max(result_.makespan, now);
  for (std::int32_t k = graph_->after_begin[at(i)]; k < graph_->after_begin[at(i) + 1]; ++k) {
    const std::int32_t a = graph_->after[at(k)];
    if (--waits_[at(a)] == 0) make_ready(a, now);
  }
  for (std::int32_t released : window_.finish(i)) queue(released);
}

void Scheduler::start_task(Rank r, double now) {
  if (!idle_[at(r)] || ready_[at(r)].empty()) return;
  const std::int32_t i = pop(ready_[at(r)]).second;
  idle_[at(r)] = 0;
  const double seconds = graph_->tasks[at(i)].seconds;
  result_.busy += seconds;
  result_.start[at(i)] = now;
  result_.end[at(i)] = now + seconds;
  add_event(now + seconds, i, false);
}

void Scheduler::start_messages(End& end, double now) {
  while (end.free && start_best(end, now)) {
  }
}

/// Sends the first waiting message among the channels whose two ends are free.
bool Scheduler::start_best(End& end, double now) {
  Channel* best = nullptr;
  for (std::int32_t c : end.channels) {
    Channel& channel = channels_[at(c)];
    if (channel.waiting.empty() || !out_[at(channel.from)].free || !in_[at(channel.to)].free)
      continue;
    if (!best || channel.waiting.front() < best->waiting.front()) best = &channel;
  }
  if (!best) return false;
  const std::int32_t i = pop(best->waiting).second;
  out_[at(best->from)].free = in_[at(best->to)].free = false;
  const double sent = now + graph_->tasks[at(i)].seconds;
  result_.end[at(i)] = sent + machine_.link_latency_seconds;
  add_event(sent, i, true);
  add_event(result_.end[at(i)], i, false);
  return true;
}

void Scheduler::add_event(double when, std::int32_t task, bool link) {
  push(events_, {when, task, link});
}

void Scheduler::take(const Event& event) {
  if (event.link) {
    const Flow& flow = graph_->lead_of_task(event.task);
    End &out = out_[at(flow.from)], &in = in_[at(flow.to)];
    out.free = in.free = true;
    start_messages(out, event.at);
    start_messages(in, event.at);
    return;
  }
  const Task& t = graph_->tasks[at(event.task)];
  if (t.kind != TaskKind::message) {
    idle_[at(t.rank)] = 1;
    woken_.push_back(t.rank);
  }
  finish(event.task, event.at);
}

double bubble_fraction(const Schedule& schedule, int ranks) {
  return schedule.makespan > 0 ? 1 - schedule.busy / (schedule.makespan * ranks) : 0;
}

Schedule best_schedule(const TaskGraph& graph, const Machine& machine) {
  Scheduler scheduler(machine);
  Schedule best;
  best.makespan = std::numeric_limits<double>::infinity();
  for (PriorityRule rule : kPriorityRules) {
    const Schedule& found = scheduler.run(graph, rule, best.makespan);
    if (found.makespan < best.makespan) best = found;
  }
  return best;
}

}  // namespace hpmp
