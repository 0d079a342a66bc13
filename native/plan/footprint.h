// The memory that a placed and scheduled step needs, without its programs being made.
#pragma once

#include "plan/held_params.h"
#include "plan/live_peak.h"

namespace hpmp {

/// Finds the bytes of many placements on one grid; keeps its memory from one to the next.
class Footprint {
 public:
  /// The model must outlive it.
  Footprint(const StepModel& model, int ranks) : params_(model, ranks), live_(model, ranks) {}

  /// Bytes by rank: its parameters, and the most that lives at once of all else. An arena may need
  /// a little more, where what is free lies in pieces.
  /// builder: holds the placement, linked.
  const std::vector<std::int64_t>& find(const std::vector<Rank>& part, const TaskBuilder& builder,
                                        const Schedule& schedule);

  /// See LivePeak: of the last schedule.
  std::vector<LivePeak::Spare> spares(Rank r) { return live_.spares(r); }

 private:
  HeldParams params_;
  LivePeak live_;
  std::vector<std::int64_t> bytes_;
};

}  // namespace hpmp
