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

}  // namespace

Plan build_plan(const Hypergraph& h, const Placement& p, const Machine& machine,
                const std::string& strategy) {
  const Ownership own = derive_ownership(h, p);
  const StepModel model = make_step_model(h, machine);
  TaskBuilder builder(model, p.ranks);
  builder.place(p.part);
  const TaskGraph& tasks = builder.linked();
  check_flows(tasks.flows, own.messages);
  Footprint footprint(model, p.ranks);
  const Schedule schedule = planned_schedule(machine, p.part, builder, footprint);
  const Metrics metrics = measure(h, p);
  Plan plan;
  plan.graph_hash = graph_hash(h.graph);
  plan.ranks = p.ranks;
  plan.grid = h.grid;
  plan.strategy = strategy;
  plan.messages = joined(tasks, own.messages);
  plan.programs = emit_programs(h, own, plan.messages, tasks, schedule);
  for (RankProgram& program : plan.programs)
    plan_memory(h.graph, h.grouped, h.grid, plan.messages, program);
  plan.activation_elems = metrics.activation_elems;
  plan.parameter_elems = metrics.parameter_elems;
  plan.imbalance = metrics.imbalance;
  plan.step_seconds = schedule.makespan;
  plan.bubble_fraction = bubble_fraction(schedule, p.ranks);
  check_memory(plan, machine.memory_limit_bytes);
  return plan;
}

}  // namespace hpmp
