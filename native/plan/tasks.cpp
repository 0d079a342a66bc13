#include "plan/tasks.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace hpmp {

namespace {

class TaskBuilder {
 public:
  TaskBuilder(const Hypergraph& h, const Placement& p, const Ownership& own, const Machine& machine)
      : h_(h), p_(p), own_(own), machine_(machine) {}

  TaskGraph run() {
    add_compute();
    add_updates();
    graph_.first_message = static_cast<std::int32_t>(graph_.tasks.size());
    for (const Message& m : own_.messages) add_message(m);
    link_compute();
    for (const Message& m : own_.messages) link_message(m);
    link_updates();
    for (const Task& t : graph_.tasks) {
      for (std::int32_t a : t.after) ++graph_.tasks[static_cast<std::size_t>(a)].waits_for;
    }
    return std::move(graph_);
  }

 private:
  using Key = std::tuple<TaskKind, GroupId, std::int32_t, Rank>;

  std::int32_t add(TaskKind kind, GroupId g, std::int32_t s, Rank r, double seconds) {
    const auto id = static_cast<std::int32_t>(graph_.tasks.size());
    Task t;
    t.kind = kind;
    t.group = g;
    t.shard = s;
    t.rank = r;
    t.seconds = seconds;
    graph_.tasks.push_back(std::move(t));
    index_[{kind, g, s, r}] = id;
    return id;
  }

  std::int32_t find(TaskKind kind, GroupId g, std::int32_t s, Rank r) const {
    const auto it = index_.find({kind, g, s, r});
    return it == index_.end() ? -1 : it->second;
  }

  void link(std::int32_t from, std::int32_t to) {
    if (from >= 0 && to >= 0) graph_.tasks[static_cast<std::size_t>(from)].after.push_back(to);
  }

  void add_compute() {
    for (std::size_t g = 0; g < h_.grouped.groups.size(); ++g) {
      const GroupId id(static_cast<std::int64_t>(g));
      const std::vector<PassSeconds> blocks = block_seconds(id);
      for (std::int32_t s = 0; s < h_.grid.shards && h_.blocks[g] > 0; ++s) {
        std::map<Rank, PassSeconds> by_rank;
        for (std::int32_t b = 0; b < h_.blocks[g]; ++b) {
          by_rank[p_.part[h_.cell(id, s, b).at()]] += blocks[static_cast<std::size_t>(b)];
        }
        for (const auto& [r, seconds] : by_rank) add_pair(id, s, r, seconds);
      }
    }
  }

  std::vector<PassSeconds> block_seconds(GroupId g) const {
    std::vector<PassSeconds> seconds;
    for (std::int32_t b = 0; b < h_.blocks[g.at()]; ++b) {
      seconds.push_back(cell_seconds(machine_, h_.graph, h_.grouped.group(g),
                                     h_.cells[h_.cell(g, 0, b).at()].region));
    }
    return seconds;
  }

  void add_pair(GroupId g, std::int32_t s, Rank r, PassSeconds seconds) {
    const Group& group = h_.grouped.group(g);
    const double speed = machine_.speed(r);
    seconds += fixed_seconds(machine_, h_.graph, group);
    add(TaskKind::forward, g, s, r, seconds.forward / speed);
    if (h_.grid.training && group.requires_grad)
      add(TaskKind::backward, g, s, r, seconds.backward / speed);
  }

  void add_updates() {
    if (!h_.grid.training) return;
    for (Rank r = 0; r < p_.ranks; ++r) {
      std::map<GroupId, std::int64_t> elems;
      for (const ParamRows& rows : own_.params[static_cast<std::size_t>(r)]) {
        const Param& param = h_.graph.param(rows.param);
        if (param.trainable)
          elems[own_.param_home[rows.param.at()]] += total_size(rows.owned) * param.row_elems();
      }
      for (const auto& [g, count] : elems) {
        if (count > 0)
          add(TaskKind::update, g, -1, r, update_seconds(machine_, count) / machine_.speed(r));
      }
    }
  }

  void add_message(const Message& m) {
    Task t;
    t.kind = TaskKind::message;
    t.rank = m.from;
    t.group = m.group;
    t.shard = m.shard;
    t.message = m.tag;
    t.seconds = machine_.message_seconds(4 * m.elems);
    graph_.tasks.push_back(std::move(t));
  }

  void link_compute() {
    for (std::int32_t i = 0; i < graph_.first_message; ++i) {
      const Task t = graph_.tasks[static_cast<std::size_t>(i)];
      if (t.kind == TaskKind::update) continue;
      for (GroupId g : own_.consumers[t.group.at()]) {
        if (t.kind == TaskKind::forward)
          link(i, find(TaskKind::forward, g, t.shard, t.rank));
        else
          link(find(TaskKind::backward, g, t.shard, t.rank), i);
      }
      if (t.kind == TaskKind::forward) link(i, find(TaskKind::backward, t.group, t.shard, t.rank));
    }
  }

  void link_message(const Message& m) {
    const std::int32_t id = graph_.first_message + m.tag;
    if (m.kind == MessageKind::activation) {
      link(find(TaskKind::forward, m.group, m.shard, m.from), id);
      for (GroupId g : own_.consumers[m.group.at()])
        link(id, find(TaskKind::forward, g, m.shard, m.to));
    } else if (m.kind == MessageKind::gradient) {
      for (GroupId g : own_.consumers[m.group.at()])
        link(find(TaskKind::backward, g, m.shard, m.from), id);
      link(id, find(TaskKind::backward, m.group, m.shard, m.to));
    } else if (m.kind == MessageKind::param_gradient) {
      link_backwards_of_params(m.group, m.from, id);
      link(id, find(TaskKind::update, m.group, -1, m.to));
    } else {
      link(find(TaskKind::update, m.group, -1, m.from), id);
    }
  }

  void link_backwards_of_params(GroupId home, Rank r, std::int32_t to) {
    for (GroupId user : own_.param_users[home.at()]) {
      for (std::int32_t s = 0; s < h_.grid.shards; ++s)
        link(find(TaskKind::backward, user, s, r), to);
    }
  }

  void link_updates() {
    for (std::int32_t i = 0; i < graph_.first_message; ++i) {
      const Task t = graph_.tasks[static_cast<std::size_t>(i)];
      if (t.kind == TaskKind::update) link_backwards_of_params(t.group, t.rank, i);
    }
  }

  const Hypergraph& h_;
  const Placement& p_;
  const Ownership& own_;
  const Machine& machine_;
  TaskGraph graph_;
  std::map<Key, std::int32_t> index_;
};

}  // namespace

TaskGraph build_tasks(const Hypergraph& h, const Placement& p, const Ownership& own,
                      const Machine& machine) {
  return TaskBuilder(h, p, own, machine).run();
}

}  // namespace hpmp
