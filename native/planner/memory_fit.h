// Whether the step of a placement fits the memory of its ranks, and how long it then takes.
#pragma once

#include "plan/fitting.h"

namespace hpmp {

class MemoryFit {
 public:
  /// The model, whose machine has the limit, must outlive it. At first nothing is computed again
  /// unless always asked for.
  MemoryFit(const StepModel& model, int ranks);

  /// From now on groups are computed again where the limit asks for it and the machine allows it.
  void compute_again();
  /// Of the step within the limit; infinity where it does not fit. `seconds`: without a limit.
  double seconds(const std::vector<Rank>& part, double seconds);

 private:
  bool fits(const std::vector<Rank>& part, const Schedule& schedule);

  const StepModel& model_;
  int ranks_;
  Machine within_, unlimited_;
  TaskBuilder builder_;
  Footprint footprint_;
};

}  // namespace hpmp
