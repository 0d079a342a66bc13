// The task graph of a step: compute tasks on ranks and messages between them.
#pragma once

#include <vector>

#include "plan/ownership.h"

namespace hpmp {

enum class TaskKind : std::uint8_t { forward, backward, update, message };

struct Task {
  TaskKind kind = TaskKind::forward;
  Rank rank = 0;  // of a message: the sender
  GroupId group;
  std::int32_t shard = -1;
  std::int32_t message = -1;
  double seconds = 0;               // of a message: time on the wire
  std::vector<std::int32_t> after;  // tasks that wait for this one
  std::int32_t waits_for = 0;
};

struct TaskGraph {
  std::vector<Task> tasks;  // message m is tasks[first_message + m]
  std::int32_t first_message = 0;
};

TaskGraph build_tasks(const Hypergraph& h, const Placement& p, const Ownership& own,
                      const Machine& machine);

}  // namespace hpmp
