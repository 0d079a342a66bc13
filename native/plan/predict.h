// What a placement promises: the figures of its plan, without the plan.
#pragma once

#include "partition/placement.h"
#include "plan/machine.h"

namespace hpmp {

/// Volumes, imbalance, step time and bubble share are those of the plan that `build_plan` makes of
/// the same placement.
struct Prediction {
  std::int64_t messages = 0;                               // of all ranks, in a step
  std::int64_t activation_elems = 0, parameter_elems = 0;  // that they carry
  std::int64_t activation_bytes = 0, parameter_bytes = 0;  // which are
  double imbalance = 0, step_seconds = 0, bubble_fraction = 0;
  double compute_seconds = 0;  // of the rank that computes most
  double network_seconds = 0;  // of the busiest direction of a rank's link, without latencies
  std::vector<std::int64_t> memory_bytes;  // by rank; see Footprint
};

/// Errors: `invalid_argument` as in make_placement.
Prediction predict(const Hypergraph& h, const std::vector<Rank>& part, int ranks,
                   const Machine& machine);

}  // namespace hpmp
