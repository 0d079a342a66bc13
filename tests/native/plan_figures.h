// Figures of plans that several tests compare.
#pragma once

#include <algorithm>

#include "plan/plan.h"

namespace hpmp {

/// Bytes of the largest arena of a rank.
inline std::int64_t most_arena(const Plan& plan) {
  std::int64_t most = 0;
  for (const RankProgram& program : plan.programs) most = std::max(most, program.arena_bytes);
  return most;
}

}  // namespace hpmp
