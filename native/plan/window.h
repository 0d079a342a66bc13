// A bound on the shards that a rank has begun and not finished: what it keeps for their backward
// passes is what a step mostly needs memory for.
#pragma once

#include <vector>

#include "plan/tasks.h"

namespace hpmp {

/// Holds forward tasks back until shards before theirs are done. Shards that share batch statistics
/// count as one. Nothing waits for ever: of the first shard that is not finished, no task is held.
class Window {
 public:
  /// most: shards that a rank may have begun; 0 for any number. The graph must outlive the use.
  void reset(const TaskGraph& graph, int most);
  /// Whether the task, which is ready, may run; if not, `finish` gives it back.
  bool admits(std::int32_t task);
  /// Notes the end of a task; those that may run from now on. Valid until the next call.
  const std::vector<std::int32_t>& finish(std::int32_t task);

 private:
  /// One shard, or those that share statistics, on one rank.
  struct Unit {
    std::int32_t left = 0;   // backward tasks
    std::int32_t place = 0;  // among those of its rank that have any
    std::vector<std::int32_t> held;
  };

  Unit& unit(const Task& task);

  const TaskGraph* graph_ = nullptr;
  std::int32_t most_ = 0, units_ = 0;        // units_: of a rank
  std::vector<Unit> all_;                    // by rank and unit
  std::vector<std::int32_t> first_, begun_;  // by rank: the first unit that is not done; its place
  std::vector<std::int32_t> released_;
};

}  // namespace hpmp
