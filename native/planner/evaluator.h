// The predicted step time of many placements on one grid.
#pragma once

#include <algorithm>

#include "plan/schedule.h"

namespace hpmp {

class Evaluator {
 public:
  /// The model must outlive it.
  Evaluator(const StepModel& model, int ranks)
      : builder_(model, ranks), scheduler_(model.machine) {}

  /// Step seconds under `rule`; infinity where they reach `limit`, found out as early as possible.
  double seconds(const std::vector<Rank>& part, PriorityRule rule, double limit);
  /// The best over all rules, and which.
  double best_seconds(const std::vector<Rank>& part, double limit, PriorityRule& rule);

  /// Tasks looked at so far: a measure of time that is the same on every machine.
  std::int64_t work() const { return work_; }

  /// Seconds that each rank computes, sends and receives in the last placement evaluated.
  struct Load {
    double compute = 0, out = 0, in = 0;
    double most() const { return std::max({compute, out, in}); }
  };
  const std::vector<Load>& loads() const { return loads_; }

 private:
  double place(const std::vector<Rank>& part);

  TaskBuilder builder_;
  Scheduler scheduler_;
  std::vector<Load> loads_;
  std::int64_t work_ = 0;
};

}  // namespace hpmp
