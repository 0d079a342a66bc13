// C functions of the plan.
#include "capi/handles.h"
#include "capi/machine.h"
#include "capi/wall.h"
#include "partition/placement.h"

namespace hpmp::capi {

hpmp_plan* plan_handle(Plan plan) {
  return new hpmp_plan{std::make_shared<const Plan>(std::move(plan))};
}

const Plan& plan_of(const hpmp_plan* plan) { return *given(plan, "plan").plan; }

const RankProgram& program_of(const hpmp_plan* plan, std::int32_t rank) {
  const auto& programs = plan_of(plan).programs;
  return programs[checked_index(rank, programs.size(), "rank")];
}

namespace {

std::int64_t bytes_of(const Plan& plan, const Message& m) {
  return message_bytes(m.kind, m.elems, plan.grid.dtype);
}

std::int64_t parameter_bytes(const Plan& plan) {
  std::int64_t sum = 0;
  for (const Message& m : plan.messages) sum += carries_params(m.kind) ? bytes_of(plan, m) : 0;
  return sum;
}

std::int64_t activation_bytes(const Plan& plan) {
  std::int64_t sum = 0;
  for (const Message& m : plan.messages) sum += carries_params(m.kind) ? 0 : bytes_of(plan, m);
  return sum;
}

/// (elements, bytes) in one step.
std::pair<std::int64_t, std::int64_t> sent_by(const Plan& plan, Rank rank) {
  std::int64_t elems = 0, bytes = 0;
  for (const Message& m : plan.messages) {
    if (m.from != rank) continue;
    elems += m.elems;
    bytes += bytes_of(plan, m);
  }
  return {elems, bytes};
}

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

hpmp_status hpmp_plan_build(const hpmp_hypergraph* hypergraph, const int32_t* part, int32_t ranks,
                            const hpmp_machine* machine, const char* strategy, hpmp_plan** out) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    given(part, "part");
    given(strategy, "strategy");
    const Placement p = make_placement(h, {part, part + h.cells.size()}, ranks);
    const Machine m = machine_from_c(given(machine, "machine"), ranks);
    given(out, "out") = plan_handle(build_plan(h, p, m, strategy));
  });
}

hpmp_status hpmp_plan_parse(const char* text, size_t length, hpmp_plan** out) {
  return wall([&] {
    given(text, "text");
    given(out, "out") = plan_handle(parse_plan(std::string(text, length)));
  });
}

void hpmp_plan_free(hpmp_plan* plan) { delete plan; }

hpmp_status hpmp_plan_text(const hpmp_plan* plan, char** out) {
  return wall([&] { given(out, "out") = copied(plan_text(plan_of(plan))); });
}

hpmp_status hpmp_plan_verify(const hpmp_graph* graph, const hpmp_plan* plan) {
  return wall([&] { verify_plan(*given(graph, "graph").graph, plan_of(plan)); });
}

hpmp_status hpmp_plan_for_optimizer(const hpmp_graph* graph, const hpmp_plan* plan,
                                    hpmp_optimizer_kind optimizer, hpmp_plan** out) {
  return wall([&] {
    const Graph& g = *given(graph, "graph").graph;
    const Plan& p = plan_of(plan);
    verify_plan(g, p);
    given(out, "out") = plan_handle(for_optimizer(g, p, optimizer_kind_from_c(optimizer)));
  });
}

hpmp_status hpmp_plan_get(const hpmp_plan* plan, hpmp_plan_info* out) {
  return wall([&] {
    const Plan& p = plan_of(plan);
    given(out, "out") = {p.strategy.c_str(),
                         p.graph_hash.c_str(),
                         p.ranks,
                         grid_to_c(p.grid),
                         static_cast<std::int64_t>(p.messages.size()),
                         p.activation_elems,
                         p.parameter_elems,
                         p.imbalance,
                         p.step_seconds,
                         p.bubble_fraction,
                         activation_bytes(p),
                         parameter_bytes(p)};
  });
}

hpmp_status hpmp_plan_rank(const hpmp_plan* plan, int32_t rank, hpmp_rank_info* out) {
  return wall([&] {
    const RankProgram& program = program_of(plan, rank);
    const auto [elems, bytes] = sent_by(plan_of(plan), rank);
    given(out, "out") = {static_cast<std::int64_t>(program.instrs.size()), program.arena_bytes,
                         program.param_bytes, elems, bytes};
  });
}

hpmp_status hpmp_plan_labels(const hpmp_graph* graph, const hpmp_plan* plan, int32_t rank,
                             char** out) {
  return wall([&] {
    const Graph& g = *given(graph, "graph").graph;
    const GroupedGraph grouped = fuse_groups(g);
    std::string text;
    for (const Instr& instr : program_of(plan, rank).instrs) {
      text += instr_label(g, grouped, plan_of(plan), instr) + "\n";
    }
    given(out, "out") = copied(text);
  });
}

hpmp_status hpmp_plan_times(const hpmp_plan* plan, int32_t rank, double* start_seconds,
                            double* end_seconds) {
  return wall([&] {
    given(start_seconds, "start_seconds");
    given(end_seconds, "end_seconds");
    for (const Instr& instr : program_of(plan, rank).instrs) {
      *start_seconds++ = instr.start_seconds;
      *end_seconds++ = instr.end_seconds;
    }
  });
}
}
