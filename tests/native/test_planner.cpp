// The search for short steps: it predicts what plans predict, repeats, and never makes things
// worse.
#include <algorithm>

#include "check.h"
#include "partition/baselines.h"
#include "partition/random.h"
#include "planner/columns.h"
#include "planner/fill.h"
#include "planner/improve.h"
#include "planner/ladder.h"
#include "tiny_graph.h"

using namespace hpmp;

namespace {

using Parts = std::vector<Rank>;

Parts random_parts(std::size_t cells, int ranks, Random& random) {
  Parts parts(cells);
  for (Rank& r : parts) r = static_cast<Rank>(random.below(static_cast<std::size_t>(ranks)));
  return parts;
}

/// A slow network and slow ranks, so that both matter on the tiny graph.
Machine slow_machine() {
  Machine machine;
  machine.flops_per_second = 1e7;
  machine.link_bytes_per_second = 1e6;
  return machine;
}

std::vector<Parts> starts_of(const Hypergraph& h) {
  return {baseline(h, "data", 2).part, baseline(h, "layer", 2).part};
}

double step_seconds(const Hypergraph& h, const Parts& part) {
  const StepModel model = make_step_model(h, slow_machine());
  PriorityRule rule;
  return Evaluator(model, 2).best_seconds(part, 1e9, rule);
}

ImproveOptions short_search(std::uint64_t seed) {
  ImproveOptions options;
  options.seed = seed;
  options.work = 200'000;
  return options;
}

}  // namespace

TEST(a_placement_takes_as_long_as_its_plan_says_or_bundles_of_messages_save_some) {
  const Hypergraph h = tiny::hypergraph();
  const StepModel model = make_step_model(h, slow_machine());
  Random random(3);
  for (int i = 0; i < 50; ++i) {
    const int ranks = 1 + i % 4;
    const Placement p = make_placement(h, random_parts(h.cells.size(), ranks, random), ranks);
    PriorityRule rule;
    const double found = Evaluator(model, ranks).best_seconds(p.part, 1e9, rule);
    const Plan plan = build_plan(h, p, slow_machine(), "random");
    const bool bundled = std::any_of(plan.messages.begin(), plan.messages.end(),
                                     [](const Message& m) { return m.letters.size() > 1; });
    if (bundled)
      CHECK(plan.step_seconds <= found * (1 + 1e-9));
    else
      CHECK_EQ(plan.step_seconds, found);
  }
}

TEST(no_schedule_is_shorter_than_what_a_rank_computes_sends_or_receives) {
  const Hypergraph h = tiny::hypergraph();
  const StepModel model = make_step_model(h, slow_machine());
  Random random(4);
  for (int i = 0; i < 50; ++i) {
    Evaluator evaluator(model, 3);
    const double found =
        evaluator.seconds(random_parts(h.cells.size(), 3, random), PriorityRule::upward_rank, 1e9);
    for (const Evaluator::Load& load : evaluator.loads()) CHECK(load.most() <= found);
  }
}

TEST(the_search_repeats_and_never_loses_to_its_starts) {
  const Hypergraph h = tiny::hypergraph();
  const std::vector<Parts> starts = starts_of(h);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto once = improve_time(h, slow_machine(), 2, starts, short_search(seed));
    const auto again = improve_time(h, slow_machine(), 2, starts, short_search(seed));
    CHECK(once.part == again.part);
    CHECK_EQ(once.seconds, again.seconds);
    for (const Parts& start : starts) CHECK(once.seconds <= step_seconds(h, start));
    CHECK_EQ(once.seconds, step_seconds(h, once.part));
  }
}

TEST(the_search_needs_a_start_that_fits_the_memory) {
  const Hypergraph h = tiny::hypergraph();
  CHECK_THROWS(improve_time(h, slow_machine(), 2, {}, short_search(0)), ErrorCode::invalid_argument,
               "needs a placement to start from");
  Machine machine = slow_machine();
  machine.memory_limit_bytes = 1;
  CHECK_THROWS(improve_time(h, machine, 2, starts_of(h), short_search(0)), ErrorCode::infeasible,
               "fits the memory");
}

TEST(shares_are_divided_evenly_and_stay_within_their_ranks) {
  const Hypergraph h = tiny::hypergraph();
  const Parts one(h.cells.size(), 0);
  CHECK(divided_by_shards(h, one, 2) == baseline(h, "data", 2).part);
  Random random(5);
  const Parts some = random_parts(h.cells.size(), 3, random);
  for (const Parts& divided : {divided_by_shards(h, some, 2), divided_by_blocks(h, some, 2)}) {
    for (std::size_t i = 0; i < some.size(); ++i) CHECK_EQ(divided[i] / 2, some[i]);
  }
  CHECK_EQ(fewer_ranks(12), 6);
  CHECK_EQ(fewer_ranks(9), 3);
  CHECK_EQ(fewer_ranks(7), 1);
}

TEST(one_column_is_data_parallelism_and_more_share_its_rows) {
  const Hypergraph h = tiny::hypergraph();
  const std::size_t groups = groups_with_cells(h).size();
  CHECK(in_columns(h, std::vector<std::int64_t>(groups, 1), 2) == baseline(h, "data", 2).part);
  const Parts grid = in_columns(h, std::vector<std::int64_t>(groups, 2), 4);
  for (std::size_t i = 0; i < grid.size(); ++i) {
    CHECK_EQ(grid[i] / 2, h.cells[i].shard);
    const std::int64_t blocks = h.blocks[h.cells[i].group.at()];
    CHECK_EQ(grid[i] % 2, h.cells[i].block * 2 / blocks);
  }
}

TEST(the_best_columns_share_out_dense_layers_but_not_convolutions) {
  const Graph graph = with_loss(with_late_flatten(parse_graph(R"(hpmp-graph 1
input x 3 8 8
param a.w weight 8 3 3 3
param b.w weight 8 8 1 1
param d.w weight 32 512
param e.w weight 32 32
node Conv a : x : a.w : a.out kernel=3,3 pads=1,1,1,1
node Conv b : a.out : b.w : b.out kernel=1,1
node Flatten flat : b.out : : flat.out
node Dense d : flat.out : d.w : d.out
node Dense e : d.out : e.w : e.out
output e.out
)")));
  const Hypergraph h = build_hypergraph(graph, tiny::grid());
  Machine machine = slow_machine();
  machine.link_bytes_per_second = 1e4;
  const StepModel model = make_step_model(h, machine);
  Evaluator evaluator(model, 2);
  const Parts data = baseline(h, "data", 2).part;
  CHECK(best_columns(evaluator, h, 2, 8, [] { return true; }) == data);
  const Parts best = best_columns(evaluator, h, 2, 8, [] { return false; });
  for (std::size_t i = 0; i < best.size(); ++i) {
    const Cell& cell = h.cells[i];
    const bool conv = h.grouped.group(cell.group).shape.h > 1;
    CHECK_EQ(best[i], conv ? data[i] : cell.block * 2 / h.blocks[cell.group.at()]);
  }
}

TEST(a_run_fills_the_ranks_that_do_little_outside_of_it) {
  const Hypergraph h = tiny::hypergraph();
  const StepModel model = make_step_model(h, slow_machine());
  const std::vector<std::size_t> groups = groups_with_cells(h);
  // All but the first group is on rank 1, so both shards of the first go to rank 0.
  const Parts busy(h.cells.size(), 1);
  CHECK(fill_shards(model, groups, busy, {0, 1}, {0, 1}, 2) == Parts({0, 0}));
  // The whole network has nothing outside: one shard each.
  Parts filled = fill_shards(model, groups, busy, {0, groups.size()}, {0, 1}, 2);
  std::sort(filled.begin(), filled.end());
  CHECK(filled == Parts({0, 1}));
}

TEST(two_segments_are_placements_of_every_cell) {
  const Hypergraph h = tiny::hypergraph();
  const StepModel model = make_step_model(h, slow_machine());
  const std::vector<Parts> found = two_segments(model, 3, 16);
  CHECK(!found.empty());
  for (const Parts& part : found) CHECK_EQ(make_placement(h, part, 3).part.size(), h.cells.size());
}
