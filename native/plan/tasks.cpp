#include "plan/tasks.h"

#include <algorithm>
#include <utility>

namespace hpmp {

TaskBuilder::TaskBuilder(const StepModel& model, int ranks) : model_(model), flows_(model, ranks) {
  graph_.ranks = ranks;
  for (const StepGroup& group : model.groups) staged_ |= group.norms() > 0;
}

void TaskBuilder::place(const std::vector<Rank>& part) {
  find_holders(model_, part, holders_);
  flows_.find(part, holders_);
  graph_.flows = flows_.flows();
  graph_.bundles.clear();
  redo_.clear();
  make();
}

void TaskBuilder::bundle(const Bundles& bundles) {
  graph_.bundles = bundles;
  make();
}

void TaskBuilder::redo(const std::vector<char>& groups) {
  redo_ = groups;
  make();
}

void TaskBuilder::make() {
  graph_.tasks.clear();
  add_tasks();
  if (staged_) add_stages();
  add_updates();
  add_messages();
  pay_for_packing();
  add_redos();
}

const TaskGraph& TaskBuilder::linked() {
  edges_.clear();
  link_groups();
  if (staged_) link_stages();
  link_params();
  link_messages();
  link_redos();
  finish_edges();
  return graph_;
}

/// The forward task of holder i is task i.
void TaskBuilder::add_tasks() {
  backward_.assign(holders_.list.size(), -1);
  std::size_t i = 0;
  const auto each = [&](auto&& add) {
    i = 0;
    for (std::size_t g = 0; g < model_.groups.size(); ++g) {
      for (std::int32_t s = 0; s < holders_.shards; ++s) {
        const GroupId id(static_cast<std::int64_t>(g));
        const auto end = static_cast<std::size_t>(holders_.begin[holders_.at(id, s) + 1]);
        for (; i < end; ++i) add(id, s, holders_.list[i]);
      }
    }
  };
  each([&](GroupId g, std::int32_t s, const Holder& holder) {
    const StepGroup& group = model_.groups[g.at()];
    double seconds = group.fixed.forward + holder.seconds.forward;
    if (!group.stages.empty()) seconds *= group.stages[0].forward;
    graph_.tasks.push_back(
        {TaskKind::forward, holder.rank, g, s, seconds / model_.machine.speed(holder.rank)});
  });
  each([&](GroupId g, std::int32_t s, const Holder& holder) {
    const StepGroup& group = model_.groups[g.at()];
    if (!group.backward) return;
    double seconds = group.fixed.backward + holder.seconds.backward;
    if (!group.stages.empty()) seconds *= group.stages[0].backward;
    backward_[i] = static_cast<std::int32_t>(graph_.tasks.size());
    graph_.tasks.push_back(
        {TaskKind::backward, holder.rank, g, s, seconds / model_.machine.speed(holder.rank)});
  });
}

void TaskBuilder::add_updates() {
  const std::size_t homes = model_.groups.size() * static_cast<std::size_t>(graph_.ranks);
  update_.assign(homes, -1);
  summed_.assign(homes, -1);
  const auto add = [&](std::vector<std::int32_t>& of, TaskKind kind, GroupId home, Rank r,
                       double seconds) {
    std::int32_t& id =
        of[home.at() * static_cast<std::size_t>(graph_.ranks) + static_cast<std::size_t>(r)];
    if (id >= 0) return;
    id = static_cast<std::int32_t>(graph_.tasks.size());
    graph_.tasks.push_back({kind, r, home, -1, seconds});
  };
  for (const OwnedParams& owned : flows_.owned()) {
    const Group& home = model_.h.grouped.group(owned.home);
    const double seconds =
        model_.machine.task_overhead_seconds +
        update_seconds(model_.machine, model_.h.graph, home, owned.elems, model_.h.grid.optimizer);
    add(update_, TaskKind::update, owned.home, owned.owner,
        seconds / model_.machine.speed(owned.owner));
    add(summed_, TaskKind::summed, owned.home, owned.owner, 0);
  }
  for (const Flow& flow : flows_.flows()) {
    if (flow.kind == MessageKind::param_gradient)
      add(summed_, TaskKind::summed, flow.group, flow.from, 0);
  }
}

void TaskBuilder::add_messages() {
  graph_.first_message = static_cast<std::int32_t>(graph_.tasks.size());
  graph_.shards_together = static_cast<std::int32_t>(model_.h.grid.statistics_shards());
  const std::size_t messages = graph_.bundles.empty() ? graph_.flows.size() : graph_.bundles.size();
  for (std::size_t m = 0; m < messages; ++m) {
    const auto id = static_cast<std::int32_t>(m);
    const Flow& lead = graph_.lead(id);
    std::int64_t bytes = 0;
    graph_.each_flow(id, [&](std::int32_t flow) {
      bytes += bytes_of(graph_.flows[static_cast<std::size_t>(flow)]);
    });
    graph_.tasks.push_back({TaskKind::message, lead.from, lead.group, lead.shard,
                            model_.machine.message_seconds(bytes)});
  }
}

std::int64_t TaskBuilder::bytes_of(const Flow& flow) const {
  return message_bytes(flow.kind, flow.elems, model_.h.grid.dtype);
}

std::int32_t TaskBuilder::forward(GroupId g, std::int32_t s, Rank r) const {
  return holders_.find(g, s, r);
}

std::int32_t TaskBuilder::backward(GroupId g, std::int32_t s, Rank r) const {
  const std::int32_t holder = holders_.find(g, s, r);
  return holder < 0 ? -1 : backward_[static_cast<std::size_t>(holder)];
}

std::int32_t TaskBuilder::at_home(const std::vector<std::int32_t>& tasks, GroupId home,
                                  Rank r) const {
  return tasks[home.at() * static_cast<std::size_t>(graph_.ranks) + static_cast<std::size_t>(r)];
}

void TaskBuilder::link(std::int32_t from, std::int32_t to) {
  if (from >= 0 && to >= 0) edges_.emplace_back(from, to);
}

/// Gathering and scattering of messages takes the time of the tasks before and after them.
void TaskBuilder::pay_for_packing() {
  for (const Flow& flow : graph_.flows) {
    if (is_statistics(flow.kind)) return;  // small, and the last of all kinds
    const std::vector<GroupId>& consumers = model_.groups[flow.group.at()].consumers;
    const auto first_consumer = [&](Rank r) {
      for (GroupId c : consumers) {
        const std::int32_t id = holders_.find(c, flow.shard, r);
        if (id >= 0) return id;
      }
      return -1;
    };
    if (flow.kind == MessageKind::activation) {
      pack(forward(flow.group, flow.shard, flow.from), flow);
      pack(first_consumer(flow.to), flow);
    } else if (flow.kind == MessageKind::gradient) {
      pack(backward_[static_cast<std::size_t>(first_consumer(flow.from))], flow);
      pack(backward(flow.group, flow.shard, flow.to), flow);
    } else if (flow.kind == MessageKind::param_gradient) {
      pack(at_home(update_, flow.group, flow.to), flow);
    } else {
      pack(at_home(update_, flow.group, flow.from), flow);
    }
  }
}

void TaskBuilder::pack(std::int32_t task, const Flow& flow) {
  if (task < 0) return;
  Task& t = graph_.tasks[static_cast<std::size_t>(task)];
  t.seconds += pack_seconds(model_.machine, bytes_of(flow)) / model_.machine.speed(t.rank);
}

void TaskBuilder::link_groups() {
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    for (std::int32_t s = 0; s < holders_.shards; ++s)
      link_group(GroupId(static_cast<std::int64_t>(g)), s);
  }
}

void TaskBuilder::link_group(GroupId g, std::int32_t s) {
  const std::int32_t first = holders_.begin[holders_.at(g, s)];
  const std::int32_t last = holders_.begin[holders_.at(g, s) + 1];
  for (std::int32_t i = first; i < last; ++i) {
    const Rank r = holders_.list[static_cast<std::size_t>(i)].rank;
    const std::int32_t back = backward_[static_cast<std::size_t>(i)];
    const std::int32_t made = last_task(g, i, false);
    link(made, back);
    for (GroupId c : model_.groups[g.at()].consumers) {
      const std::int32_t consumer = holders_.find(c, s, r);
      if (consumer < 0) continue;
      link(made, consumer);
      link(last_task(c, consumer, true), back);
    }
  }
}

/// A rank's gradients of a home's parameters are complete after the backward passes of all shards.
void TaskBuilder::link_params() {
  if (model_.param_users.empty()) return;
  for (std::size_t home = 0; home < model_.groups.size(); ++home) {
    const GroupId id(static_cast<std::int64_t>(home));
    for (GroupId user : model_.param_users[home]) {
      for (std::int32_t i = holders_.begin[holders_.at(user, 0)];
           i < holders_.begin[holders_.at(user, holders_.shards - 1) + 1]; ++i) {
        const Rank r = holders_.list[static_cast<std::size_t>(i)].rank;
        link(last_task(user, i, true), at_home(summed_, id, r));
      }
    }
    for (Rank r = 0; r < graph_.ranks; ++r) link(at_home(summed_, id, r), at_home(update_, id, r));
  }
}

void TaskBuilder::link_messages() {
  for (std::int32_t m = 0; m < graph_.messages(); ++m) {
    graph_.each_flow(m, [&](std::int32_t flow) {
      link_message(graph_.first_message + m, graph_.flows[static_cast<std::size_t>(flow)]);
    });
  }
}

void TaskBuilder::link_message(std::int32_t id, const Flow& flow) {
  const std::vector<GroupId>& consumers = model_.groups[flow.group.at()].consumers;
  switch (flow.kind) {
    case MessageKind::activation:
      link(last_task(flow.group, forward(flow.group, flow.shard, flow.from), false), id);
      for (GroupId c : consumers) link(id, forward(c, flow.shard, flow.to));
      return;
    case MessageKind::gradient:
      for (GroupId c : consumers) link(last_task(c, forward(c, flow.shard, flow.from), true), id);
      link(id, backward(flow.group, flow.shard, flow.to));
      return;
    case MessageKind::param_gradient:
      link(at_home(summed_, flow.group, flow.from), id);
      link(id, at_home(update_, flow.group, flow.to));
      return;
    case MessageKind::param:
      link(at_home(update_, flow.group, flow.from), id);
      return;
    default:
      link_statistics(id, flow);
  }
}

void TaskBuilder::finish_edges() {
  const std::size_t count = graph_.tasks.size();
  graph_.after_begin.assign(count + 1, 0);
  graph_.waits_for.assign(count, 0);
  for (const auto& [from, to] : edges_) {
    ++graph_.after_begin[static_cast<std::size_t>(from) + 1];
    ++graph_.waits_for[static_cast<std::size_t>(to)];
  }
  for (std::size_t i = 0; i < count; ++i) graph_.after_begin[i + 1] += graph_.after_begin[i];
  graph_.after.resize(edges_.size());
  for (std::size_t e = edges_.size(); e-- > 0;) {
    // Filled from the back: after_begin is moved by what is placed, and put right below.
    const auto from = static_cast<std::size_t>(edges_[e].first);
    graph_.after[static_cast<std::size_t>(--graph_.after_begin[from + 1])] = edges_[e].second;
  }
  for (std::size_t i = 0; i < count; ++i) graph_.after_begin[i] = graph_.after_begin[i + 1];
  graph_.after_begin[count] = static_cast<std::int32_t>(edges_.size());
}

}  // namespace hpmp
