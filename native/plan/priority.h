// The order in which ready tasks and messages are taken: one number each, by rule.
#pragma once

#include <vector>

#include "plan/tasks.h"

namespace hpmp {

enum class PriorityRule : std::uint8_t {
  one_f_one_b,    // backward before forward, earlier shards first: bounds live activations
  upward_rank,    // longest path to the end first (HEFT, Topcuoglu et al. 2002)
  breadth_first,  // group by group, all shards
  /// Forward by shard, so that ranks with later groups start early; backward by group, so that
  /// reductions do.
  shard_then_group,
};

constexpr PriorityRule kPriorityRules[] = {PriorityRule::one_f_one_b, PriorityRule::upward_rank,
                                           PriorityRule::breadth_first,
                                           PriorityRule::shard_then_group};

/// By task; the smaller goes first. `out` is overwritten.
void priorities(const TaskGraph& graph, const Machine& machine, PriorityRule rule,
                std::vector<double>& out);

}  // namespace hpmp
