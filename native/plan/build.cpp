// build_plan: placement -> ownership -> tasks -> schedule -> programs -> memory.
#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "partition/metrics.h"
#include "plan/emit.h"
#include "plan/fitting.h"
#include "plan/plan.h"

namespace hpmp {
namespace {

std::string gib(std::int64_t bytes) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f GiB", static_cast<double>(bytes) / (1 << 30));
  return buffer;
}

void check_memory(const Plan& plan, std::int64_t limit) {
  if (limit <= 0) return;
  std::size_t worst = 0;
  const auto bytes = [&plan](std::size_t r) {
    return plan.programs[r].arena_bytes + plan.programs[r].param_bytes;
  };
  for (std::size_t r = 1; r < plan.programs.size(); ++r) {
    if (bytes(r) > bytes(worst)) worst = r;
  }
  if (bytes(worst) <= limit) return;
  fail(ErrorCode::infeasible, "strategy '" + plan.strategy + "' needs " + gib(bytes(worst)) +
                                  " on rank " + std::to_string(worst) + ", " +
                                  gib(bytes(worst) - limit) + " above the limit of " + gib(limit) +
                                  "; use more ranks, a smaller batch or a higher --memory");
}

/// What was simulated is what will be sent.
void check_flows(const std::vector<Flow>& flows, const std::vector<Message>& messages) {
  const auto same = [](const Flow& f, const Message& m) {
    const Letter& l = m.lead();
    return f.kind == m.kind && f.group == l.group && f.shard == l.shard && f.stage == l.stage &&
           f.from == m.from && f.to == m.to && f.elems == m.elems;
  };
  ensure(std::equal(flows.begin(), flows.end(), messages.begin(), messages.end(), same),
         "the simulated messages are the plan's");
}

/// The messages of the task graph, with the letters that go in one.
std::vector<Message> joined(const TaskGraph& tasks, const std::vector<Message>& single) {
  std::vector<Message> messages;
  for (std::int32_t m = 0; m < tasks.messages(); ++m) {
    Message joint;
    tasks.each_flow(m, [&](std::int32_t flow) {
      const Message& one = single[static_cast<std::size_t>(flow)];
      joint.kind = one.kind;
      joint.from = one.from;
      joint.to = one.to;
      joint.letters.push_back(one.lead());
      joint.elems += one.elems;
    });
    joint.tag = m;
    messages.push_back(std::move(joint));
  }
  return messages;
}

std::int64_t most_bytes(const Plan& plan) {
  std::int64_t most = 0;
  for (const RankProgram& p : plan.programs) most = std::max(most, p.arena_bytes + p.param_bytes);
  return most;
}

/// Plans of one placement on one machine.
class PlanMaker {
 public:
  PlanMaker(const Hypergraph& h, const Placement& p, const Machine& machine,
            const std::string& strategy)
      : h_(h),
        p_(p),
        machine_(machine),
        strategy_(strategy),
        own_(derive_ownership(h, p)),
        model_(make_step_model(h, machine)),
        builder_(model_, p.ranks),
        footprint_(model_, p.ranks) {}

  /// Where what lives at once keeps the goal and the arena with its holes does not, a lower goal
  /// may do.
  Plan run() {
    Plan best = make();
    const std::int64_t goal = memory_goal(machine_);
    std::int64_t bytes = most_bytes(best);
    for (int i = 0; i < kLowerGoals && live_ <= goal && bytes > goal; ++i) {
      machine_.memory_goal_bytes = memory_goal(machine_) - (bytes - goal);
      if (machine_.memory_goal_bytes <= 0) break;
      Plan lower = make();
      bytes = most_bytes(lower);
      if (bytes < most_bytes(best)) best = std::move(lower);
    }
    return best;
  }

 private:
  static constexpr int kLowerGoals = 3;

  Plan make() {
    builder_.place(p_.part);
    const TaskGraph& tasks = builder_.linked();
    check_flows(tasks.flows, own_.messages);
    const Schedule schedule = planned_schedule(machine_, p_.part, builder_, footprint_);
    const std::vector<std::int64_t>& live = footprint_.find(p_.part, builder_, schedule);
    live_ = *std::max_element(live.begin(), live.end());
    Plan plan;
    plan.graph_hash = graph_hash(h_.graph);
    plan.ranks = p_.ranks;
    plan.grid = h_.grid;
    plan.strategy = strategy_;
    plan.messages = joined(tasks, own_.messages);
    plan.programs = emit_programs(h_, own_, plan.messages, tasks, schedule);
    for (RankProgram& program : plan.programs)
      plan_memory(h_.graph, h_.grouped, h_.grid, plan.messages, program);
    const Metrics metrics = measure(h_, p_);
    plan.activation_elems = metrics.activation_elems;
    plan.parameter_elems = metrics.parameter_elems;
    plan.imbalance = metrics.imbalance;
    plan.step_seconds = schedule.makespan;
    plan.bubble_fraction = bubble_fraction(schedule, p_.ranks);
    return plan;
  }

  const Hypergraph& h_;
  const Placement& p_;
  Machine machine_;
  const std::string& strategy_;
  Ownership own_;
  StepModel model_;
  TaskBuilder builder_;
  Footprint footprint_;
  std::int64_t live_ = 0;
};

}  // namespace

Plan build_plan(const Hypergraph& h, const Placement& p, const Machine& machine,
                const std::string& strategy) {
  Plan plan = PlanMaker(h, p, machine, strategy).run();
  check_memory(plan, machine.memory_limit_bytes);
  return plan;
}

}  // namespace hpmp
