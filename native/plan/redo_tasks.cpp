// Forward tasks that run a second time, just before what they leave is needed.
#include <algorithm>

#include "plan/tasks.h"

namespace hpmp {

double TaskBuilder::forward_seconds(GroupId g, const Holder& holder) const {
  return (model_.groups[g.at()].fixed.forward + holder.seconds.forward) /
         model_.machine.speed(holder.rank);
}

double TaskBuilder::redo_seconds(GroupId g, Rank r) const {
  double seconds = 0;
  for (std::int32_t s = 0; s < holders_.shards; ++s) {
    const std::int32_t i = holders_.find(g, s, r);
    if (i >= 0) seconds += forward_seconds(g, holders_.list[static_cast<std::size_t>(i)]);
  }
  return seconds;
}

/// Readers first: what these run again reads what their producers must run again for them.
void TaskBuilder::add_redos() {
  graph_.redos.clear();
  if (redo_.empty()) return;
  redo_before_.assign(holders_.list.size(), -1);
  find_received();
  for (std::size_t g = model_.groups.size(); g-- > 0;) {
    const GroupId id(static_cast<std::int64_t>(g));
    for (std::int32_t s = 0; s < holders_.shards; ++s) {
      const std::int32_t end = holders_.begin[holders_.at(id, s) + 1];
      for (std::int32_t i = holders_.begin[holders_.at(id, s)]; i < end; ++i) {
        if (is_redone(id, i)) add_redo(id, s, i);
      }
    }
  }
  std::sort(graph_.redos.begin(), graph_.redos.end(),
            [](const Redo& a, const Redo& b) { return a.forward < b.forward; });
}

void TaskBuilder::find_received() {
  received_.assign(holders_.list.size(), 0);
  for (const Flow& flow : graph_.flows) {
    if (flow.kind != MessageKind::activation) break;  // the first kind of all
    const std::int32_t i = holders_.find(flow.group, flow.shard, flow.to);
    if (i >= 0) received_[static_cast<std::size_t>(i)] = 1;
  }
}

bool TaskBuilder::is_redone(GroupId g, std::int32_t holder) const {
  const auto i = static_cast<std::size_t>(holder);
  const auto r = static_cast<std::size_t>(holders_.list[i].rank);
  return redo_[g.at() * static_cast<std::size_t>(graph_.ranks) + r] &&
         model_.groups[g.at()].redoable && !received_[i];
}

/// The last group of those that need it is the first that runs backward.
void TaskBuilder::add_redo(GroupId g, std::int32_t s, std::int32_t holder) {
  const Holder& here = holders_.list[static_cast<std::size_t>(holder)];
  GroupId last = g;
  for (GroupId c : model_.groups[g.at()].backward_readers) {
    if (holders_.find(c, s, here.rank) >= 0) last = std::max(last, c);
  }
  for (GroupId c : model_.groups[g.at()].consumers) {
    const std::int32_t reader = holders_.find(c, s, here.rank);
    const std::int32_t before = reader < 0 ? -1 : redo_before_[static_cast<std::size_t>(reader)];
    if (before >= 0) last = std::max(last, graph_.tasks[static_cast<std::size_t>(before)].group);
  }
  const std::int32_t before = backward(last, s, here.rank);
  const double seconds = forward_seconds(g, here);
  redo_before_[static_cast<std::size_t>(holder)] = before;
  graph_.tasks[static_cast<std::size_t>(before)].seconds += seconds;
  graph_.redos.push_back({holder, before, seconds});
}

void TaskBuilder::link_redos() {
  for (const Redo& redo : graph_.redos) link_redo(redo);
  for (std::int32_t m = 0; m < graph_.messages() && !graph_.redos.empty(); ++m) {
    if (graph_.lead(m).kind != MessageKind::activation) break;
    graph_.each_flow(m, [&](std::int32_t i) {
      const Flow& flow = graph_.flows[static_cast<std::size_t>(i)];
      const std::int32_t from = forward(flow.group, flow.shard, flow.from);
      link(graph_.first_message + m, redo_before_[static_cast<std::size_t>(from)]);
    });
  }
}

///   every forward reader -> the task that runs it again -> every other backward reader
void TaskBuilder::link_redo(const Redo& redo) {
  const Task& task = graph_.tasks[static_cast<std::size_t>(redo.forward)];
  const StepGroup& group = model_.groups[task.group.at()];
  for (GroupId c : group.consumers) {
    const std::int32_t reader = holders_.find(c, task.shard, task.rank);
    if (reader < 0) continue;
    link(last_task(c, reader, false), redo.before);
    const std::int32_t again = redo_before_[static_cast<std::size_t>(reader)];
    if (again != redo.before) link(redo.before, again);
  }
  for (GroupId c : group.backward_readers) {
    const std::int32_t back = backward(c, task.shard, task.rank);
    if (back != redo.before) link(redo.before, back);
  }
}

}  // namespace hpmp
