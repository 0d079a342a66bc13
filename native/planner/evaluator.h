// The predicted step time of many placements on one grid.
#pragma once

#include <algorithm>

#include "plan/schedule.h"

namespace hpmp {

class Evaluator {
 public:
  /// The model must outlive it.
  Evaluator(const StepModel& model, int ranks)
      : model_(model), ranks_(ranks), builder_(model, ranks), scheduler_(model.machine) {}

  /// Step seconds under `rule`; infinity where they reach `limit`, found out as early as possible.
  double seconds(const std::vector<Rank>& part, PriorityRule rule, double limit);
  /// The best over all rules, and which.
  double best_seconds(const std::vector<Rank>& part, double limit, PriorityRule& rule);

  /// What the busiest rank computes: a bound of the step's seconds that looks at no message.
  double least_seconds(const std::vector<Rank>& part);

  /// Tasks looked at so far: a measure of time that is the same on every machine.
  std::int64_t work() const { return work_; }

  /// Seconds that each rank computes, sends and receives in the last placement evaluated.
  struct Load {
    double compute = 0, out = 0, in = 0;
    double most() const { return std::max({compute, out, in}); }
  };
  const std::vector<Load>& loads() const { return loads_; }

 private:
  std::size_t shards() const { return static_cast<std::size_t>(model_.h.grid.shards); }
  double place(const std::vector<Rank>& part);

  const StepModel& model_;
  int ranks_;
  Holders holders_;
  TaskBuilder builder_;
  Scheduler scheduler_;
  std::vector<Load> loads_;
  std::int64_t work_ = 0;
};

}  // namespace hpmp
