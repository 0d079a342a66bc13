// Steps that keep a memory goal, by fewer shards under way at once.
#include <set>

#include "check.h"
#include "plan/fitting.h"
#include "plan_case.h"
#include "plan_figures.h"

using namespace hpmp;

namespace {

Plan plan_within(std::int64_t goal, const char* strategy, int ranks, std::int64_t shards = 8) {
  GridSpec grid;
  grid.batch = 8;
  grid.shards = shards;
  const Graph g = graph();
  const Hypergraph h = build_hypergraph(g, checked_grid(g, grid));
  Machine machine;
  machine.memory_goal_bytes = goal;
  return build_plan(h, baseline(h, strategy, ranks), machine, strategy);
}

/// The most shards of which a rank has run a forward task and has backward tasks to run.
std::size_t under_way(const RankProgram& program) {
  std::map<std::int32_t, int> left;
  for (const Instr& i : program.instrs) {
    if (i.kind == InstrKind::backward) ++left[i.shard];
  }
  std::set<std::int32_t> open;
  std::size_t most = 0;
  for (const Instr& i : program.instrs) {
    if (i.kind == InstrKind::forward && left[i.shard] > 0) open.insert(i.shard);
    most = std::max(most, open.size());
    if (i.kind == InstrKind::backward && --left[i.shard] == 0) open.erase(i.shard);
  }
  return most;
}

}  // namespace

TEST(one_rank_that_is_short_of_memory_finishes_a_shard_before_the_next) {
  const Plan freely = plan_within(0, "data", 1), tightly = plan_within(1, "data", 1);
  verify_plan(graph(), tightly);
  CHECK_EQ(under_way(tightly.programs[0]), 1);
  CHECK(4 * most_arena(tightly) < most_arena(plan_within(0, "data", 1, 1)));
  CHECK(most_arena(tightly) <= most_arena(freely));
}

TEST(a_goal_that_no_order_keeps_gives_the_order_that_needs_least) {
  for (const char* strategy : {"data", "layer", "filter", "owt"}) {
    const Plan freely = plan_within(0, strategy, 2), tightly = plan_within(1, strategy, 2);
    verify_plan(graph(), tightly);
    CHECK(most_arena(tightly) <= most_arena(freely));
    CHECK(freely.step_seconds <= tightly.step_seconds);
    CHECK_EQ(freely.activation_elems, tightly.activation_elems);
  }
}

TEST(a_goal_that_the_shortest_step_keeps_changes_nothing) {
  for (const char* strategy : {"data", "layer"})
    CHECK_EQ(plan_text(plan_within(0, strategy, 2)), plan_text(plan_within(1 << 30, strategy, 2)));
}

TEST(a_window_holds_back_only_shards_that_are_too_far_ahead) {
  const Plan tightly = plan_within(1, "layer", 2);
  for (const RankProgram& program : tightly.programs) CHECK(under_way(program) <= 1);
  CHECK(under_way(plan_within(0, "layer", 2).programs[0]) > 1);
}
