#include "planner/memory_fit.h"

#include <algorithm>
#include <limits>

namespace hpmp {
namespace {

constexpr double kHoles = 1.1;  // times the bytes that live at once: an arena with its holes

/// The limit as a wish.
Machine unlimited(Machine machine) {
  machine.memory_goal_bytes = machine.memory_limit_bytes;
  machine.memory_limit_bytes = 0;
  return machine;
}

Machine keeping_all(Machine machine) {
  if (machine.recompute == Recompute::when_short) machine.recompute = Recompute::never;
  return machine;
}

std::int64_t most_bytes(const Plan& plan) {
  std::int64_t most = 0;
  for (const RankProgram& program : plan.programs)
    most = std::max(most, program.arena_bytes + program.param_bytes);
  return most;
}

}  // namespace

MemoryFit::MemoryFit(const StepModel& model, int ranks)
    : model_(model),
      ranks_(ranks),
      within_(keeping_all(model.machine)),
      unlimited_(unlimited(within_)),
      builder_(model, ranks),
      footprint_(model, ranks) {}

void MemoryFit::compute_again() {
  within_ = model_.machine;
  unlimited_ = unlimited(within_);
}

double MemoryFit::seconds(const std::vector<Rank>& part, double seconds) {
  if (model_.machine.memory_limit_bytes <= 0) return seconds;
  builder_.place(part);
  const Schedule schedule = fitting_schedule(within_, part, builder_, footprint_);
  return fits(part, schedule) ? schedule.makespan : std::numeric_limits<double>::infinity();
}

bool MemoryFit::fits(const std::vector<Rank>& part, const Schedule& schedule) {
  const std::int64_t limit = model_.machine.memory_limit_bytes;
  const std::vector<std::int64_t>& bytes = footprint_.find(part, builder_, schedule);
  const std::int64_t most = *std::max_element(bytes.begin(), bytes.end());
  if (most > limit || static_cast<double>(most) * kHoles <= static_cast<double>(limit))
    return most <= limit;
  const Placement p = make_placement(model_.h, part, ranks_);
  return most_bytes(build_plan(model_.h, p, unlimited_, "")) <= limit;
}

}  // namespace hpmp
