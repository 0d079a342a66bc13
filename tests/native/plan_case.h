// A tiny plan, and ways to damage it: shared by the tests of the verifier.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "graph/passes.h"
#include "graph/text.h"
#include "partition/baselines.h"
#include "plan/plan.h"

namespace hpmp {

/// A skip and a branch.
inline const char* const kGraph = R"(hpmp-graph 1
input x 3 4 4
param w1 weight 32 3 3 3
param w2 weight 32 32 3 3
param fc weight 4 512
node Conv c1 : x : w1 : a kernel=3,3 pads=1,1,1,1
node Relu r1 : a : : b
node Conv c2 : b : w2 : c kernel=3,3 pads=1,1,1,1
node Add add : c b : : d
node Flatten f : d : : e
node Dense fc : e : fc : y
output y
)";

inline Graph graph() {
  return with_loss(with_late_flatten(without_dead_nodes(parse_graph(kGraph))));
}

inline Plan plan_of(const char* strategy, std::int64_t shards, int ranks) {
  GridSpec grid;
  grid.batch = 8;
  grid.shards = shards;
  const Graph g = graph();
  const Hypergraph h = build_hypergraph(g, checked_grid(g, grid));
  return build_plan(h, baseline(h, strategy, ranks), Machine{}, strategy);
}

inline void refuse(const std::function<void(Plan&)>& damage, const std::string& because,
                   const char* strategy = "filter") {
  Plan plan = plan_of(strategy, 2, 2);
  damage(plan);
  CHECK_THROWS(verify_plan(graph(), plan), ErrorCode::invalid_plan, because);
}

inline std::vector<Instr>::iterator find(Plan& plan, std::size_t rank, InstrKind kind) {
  std::vector<Instr>& instrs = plan.programs[rank].instrs;
  const auto it =
      std::find_if(instrs.begin(), instrs.end(), [&](const Instr& i) { return i.kind == kind; });
  CHECK(it != instrs.end());
  return it;
}

/// No two tensors share memory, so that instructions may be moved about.
inline void live_for_ever(RankProgram& program) {
  program.arena_bytes = 0;
  for (PlannedTensor& t : program.tensors) {
    t.first = 0;
    t.last = static_cast<std::int32_t>(program.instrs.size());
    t.offset = program.arena_bytes;
    program.arena_bytes += (t.bytes + 63) / 64 * 64;
  }
}

}  // namespace hpmp
