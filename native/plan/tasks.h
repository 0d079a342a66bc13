// The task graph of a placed step: compute tasks on ranks, and messages between them.
#pragma once

#include <vector>

#include "plan/flows.h"

namespace hpmp {

enum class TaskKind : std::uint8_t {
  forward,
  backward,
  update,
  summed,   // no work: all parts of a sum that a rank makes are there
  message,  // on the wire
};

struct Task {
  TaskKind kind = TaskKind::forward;
  Rank rank = 0;  // of a message: the sender
  GroupId group;
  std::int32_t shard = -1;
  double seconds = 0;  // of a message: time on the wire
  std::int32_t stage = 0;
};

/// Flows that travel together, by message: indices, each in one message. Those of a message have
/// one kind and one pair of ranks.
using Bundles = std::vector<std::vector<std::int32_t>>;

/// A forward task that runs a second time.
struct Redo {
  std::int32_t forward = 0;  // the task
  std::int32_t before = 0;   // the backward task that the second run is part of, at its start
  double seconds = 0;
};

struct TaskGraph {
  int ranks = 1;
  std::vector<Task> tasks;  // message m is tasks[first_message + m]
  std::vector<Flow> flows;  // by kind, group, shard, stage and ranks
  Bundles bundles;          // by message; empty: message m is flow m
  std::vector<Redo> redos;  // by forward task
  std::int32_t first_message = 0;
  std::int32_t shards_together = 1;              // as share batch statistics
  std::vector<std::int32_t> after_begin, after;  // CSR: tasks that wait for each task
  std::vector<std::int32_t> waits_for;           // how many each waits for

  std::int32_t messages() const { return static_cast<std::int32_t>(tasks.size()) - first_message; }
  /// Calls visit(flow's index) for each flow of message m.
  template <class Visit>
  void each_flow(std::int32_t m, Visit&& visit) const {
    if (bundles.empty()) return visit(m);
    for (std::int32_t flow : bundles[static_cast<std::size_t>(m)]) visit(flow);
  }
  /// A message's first flow: kind and ranks are those of all of them.
  const Flow& lead(std::int32_t m) const {
    const auto i = static_cast<std::size_t>(m);
    return flows[bundles.empty() ? i : static_cast<std::size_t>(bundles[i][0])];
  }
  const Flow& lead_of_task(std::int32_t task) const { return lead(task - first_message); }
};

/// Makes the task graphs of many placements on one grid; keeps its memory from one to the next.
class TaskBuilder {
 public:
  TaskBuilder(const StepModel& model, int ranks);

  /// Makes tasks and messages with their times, but not yet their order. `part`: by cell. Every
  /// flow is a message of its own.
  void place(const std::vector<Rank>& part);
  /// Makes them again for the same placement with these messages.
  void bundle(const Bundles& bundles);
  /// Makes them again for the same placement and messages, where what some groups' forward passes
  /// leave for the backward pass is freed and computed again: as late as it can be, in the task
  /// that first needs it. `groups`: by group x ranks, 1 for those; empty for none.
  void redo(const std::vector<char>& groups);
  /// Adds what waits for what. Valid, like `graph`, until the next placement.
  const TaskGraph& linked();
  const TaskGraph& graph() const { return graph_; }
  const StepModel& model() const { return model_; }
  /// Of running a group's forward tasks of all shards once more.
  double redo_seconds(GroupId g, Rank r) const;
  const std::vector<OwnedParams>& owned() const { return flows_.owned(); }

 private:
  void make();
  void add_tasks();
  void add_updates();
  void add_messages();
  void link_groups();
  void link_group(GroupId g, std::int32_t s);
  void link_messages();
  void link_message(std::int32_t id, const Flow& flow);
  void link_params();
  void pay_for_packing();
  void pack(std::int32_t task, const Flow& flow);
  std::int64_t bytes_of(const Flow& flow) const;
  // In redo_tasks.cpp:
  void add_redos();
  void add_redo(GroupId g, std::int32_t s, std::int32_t holder);
  bool is_redone(GroupId g, std::int32_t holder) const;
  double forward_seconds(GroupId g, const Holder& holder) const;
  void find_received();
  void link_redos();
  void link_redo(const Redo& redo);
  // In stage_tasks.cpp:
  void add_stages();
  void add_stages_of(GroupId g, std::int32_t s);
  void add_later_stages(GroupId g, std::int32_t s, const Holder& holder, TaskKind kind);
  void add_exchanges(GroupId g, std::int32_t s, Rank r);
  void link_stages();
  void link_stages_of(GroupId g, std::int32_t s, std::int32_t holder, bool backward);
  void link_statistics(std::int32_t id, const Flow& flow);
  void finish_edges();

  void link(std::int32_t from, std::int32_t to);
  std::int32_t forward(GroupId g, std::int32_t s, Rank r) const;
  std::int32_t backward(GroupId g, std::int32_t s, Rank r) const;
  /// The task of a holder of the group in a stage; see hypergraph/stages.h.
  std::int32_t stage_task(GroupId g, std::int32_t holder, bool backward, std::int32_t stage) const;
  /// The last of them; -1 where there is none.
  std::int32_t last_task(GroupId g, std::int32_t holder, bool backward) const {
    return holder < 0 ? -1 : stage_task(g, holder, backward, model_.groups[g.at()].norms());
  }
  std::size_t exchange_at(GroupId g, std::int32_t s, Rank r) const;
  enum Sum : std::int32_t { kOwn, kAll };
  /// When all of rank r's own parts of statistics are there, and when those of all ranks are.
  std::int32_t sum(GroupId g, std::int32_t s, Rank r, bool backward, std::int32_t stage,
                   Sum which) const;
  std::int32_t at_home(const std::vector<std::int32_t>& tasks, GroupId home, Rank r) const;

  const StepModel& model_;
  FlowFinder flows_;
  Holders holders_;
  std::vector<std::int32_t> backward_;         // by holder
  std::vector<std::int32_t> update_, summed_;  // by home x ranks
  std::vector<char> redo_;                     // by group x ranks; empty: none
  std::vector<char> received_;                 // by holder: its image has channels of others
  std::vector<std::int32_t> redo_before_;      // by holder: Redo::before; -1
  bool staged_ = false;                        // some group runs in several stages
  std::vector<std::int32_t> later_;            // by holder: its tasks from the second stage on
  std::vector<std::int32_t> exchange_;         // by group x statistics group x ranks: its first sum
  std::vector<std::pair<std::int32_t, std::int32_t>> edges_;
  TaskGraph graph_;
};

}  // namespace hpmp
