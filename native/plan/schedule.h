// List scheduling of a task graph: when each task and message runs, under one priority rule.
#pragma once

#include <vector>

#include "plan/tasks.h"

namespace hpmp {

enum class PriorityRule : std::uint8_t {
  one_f_one_b,    // backward before forward, earlier shards first: bounds live activations
  upward_rank,    // longest path to the end first (HEFT, Topcuoglu et al. 2002)
  breadth_first,  // group by group
};

struct Schedule {
  std::vector<double> start, end;  // by task; seconds
  double makespan = 0;
  double busy = 0;  // compute seconds, all ranks
};

/// Ranks run one task at a time; each rank's link carries one message at a time in each direction.
Schedule schedule_tasks(const TaskGraph& graph, const Ownership& own, const Machine& machine,
                        PriorityRule rule);

/// The shortest of all rules; ties to the first.
Schedule best_schedule(const TaskGraph& graph, const Ownership& own, const Machine& machine);

}  // namespace hpmp
