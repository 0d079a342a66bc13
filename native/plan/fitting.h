// The schedule of a placed step that fits the memory.
#pragma once

#include "plan/footprint.h"
#include "plan/schedule.h"

namespace hpmp {

/// Bytes that a rank's steps are to keep; 0: any number.
std::int64_t memory_goal(const Machine& machine);

/// The shortest of all rules or, where the machine has a memory goal or limit, the shortest that
/// keeps it: with fewer and fewer shards under way at once, or with groups whose forward tasks run
/// twice. Where none does, the one that needs least. Ties to the first.
/// builder: holds the placement, afterwards with those groups. footprint: of the same model.
Schedule fitting_schedule(const Machine& machine, const std::vector<Rank>& part,
                          TaskBuilder& builder, Footprint& footprint);

/// The same with small messages bundled, which never makes the step longer. The builder then holds
/// the plan's messages.
Schedule planned_schedule(const Machine& machine, const std::vector<Rank>& part,
                          TaskBuilder& builder, Footprint& footprint);

}  // namespace hpmp
