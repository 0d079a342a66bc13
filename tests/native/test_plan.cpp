// Plans: the text form, the memory planner, and broken plans that the verifier must refuse.
#include <algorithm>
#include <functional>

#include "check.h"
#include "plan/arena.h"
#include "plan_case.h"

using namespace hpmp;

TEST(every_strategy_gives_a_plan_that_the_verifier_accepts_and_whose_text_round_trips) {
  for (const char* strategy : {"data", "layer", "filter", "owt"}) {
    const Plan plan = plan_of(strategy, 4, 2);
    verify_plan(graph(), plan);
    const std::string text = plan_text(plan);
    CHECK_EQ(plan_text(parse_plan(text)), text);
    verify_plan(graph(), parse_plan(text));
  }
}

TEST(the_same_placement_gives_the_same_plan_byte_for_byte) {
  CHECK_EQ(plan_text(plan_of("owt", 4, 2)), plan_text(plan_of("owt", 4, 2)));
}

TEST(a_missing_send_is_refused) {
  refuse([](Plan& p) { p.programs[0].instrs.erase(find(p, 0, InstrKind::send)); }, "was not sent");
}

TEST(a_missing_receive_is_refused) {
  refuse([](Plan& p) { p.programs[0].instrs.erase(find(p, 0, InstrKind::recv)); },
         "before they are written");
}

TEST(a_receive_moved_behind_its_reader_is_refused) {
  refuse(
      [](Plan& p) {
        const auto recv = find(p, 0, InstrKind::recv);
        const Instr moved = *recv;
        p.programs[0].instrs.erase(recv);
        p.programs[0].instrs.push_back(moved);
      },
      "before they are written");
}

TEST(a_cyclic_wait_is_refused) {
  // Each rank waits for its first send before it posts its first receive: with synchronous sends
  // nobody ever posts.
  refuse(
      [](Plan& p) {
        for (std::size_t r = 0; r < 2; ++r) {
          live_for_ever(p.programs[r]);
          std::vector<Instr>& list = p.programs[r].instrs;
          const Instr post = *find(p, r, InstrKind::post);
          list.erase(find(p, r, InstrKind::post));
          const std::int32_t sent = find(p, r, InstrKind::send)->message;
          const auto wait = std::find_if(list.begin(), list.end(), [&](const Instr& i) {
            return i.kind == InstrKind::wait && i.message == sent;
          });
          const Instr waits = *wait;
          list.erase(wait);
          list.insert(find(p, r, InstrKind::send) + 1, {waits, post});
        }
      },
      "would wait for ever");
}

TEST(overlapping_live_tensors_are_refused) {
  refuse(
      [](Plan& p) {
        for (PlannedTensor& t : p.programs[0].tensors) t.offset = 0;
      },
      "overlap");
}

TEST(a_tensor_outside_the_arena_is_refused) {
  refuse([](Plan& p) { p.programs[1].tensors[0].offset = p.programs[1].arena_bytes; },
         "outside the arena");
  refuse([](Plan& p) { p.programs[1].arena_bytes = 64; }, "outside the arena");
}

TEST(a_tensor_that_is_too_small_is_refused) {
  refuse([](Plan& p) { p.programs[0].tensors[0].bytes = 4; }, "holds");
}

TEST(a_channel_that_nobody_computes_is_refused) {
  refuse([](Plan& p) { p.programs[0].tasks.pop_back(); }, "computed by exactly one rank");
}

TEST(a_backward_before_its_readers_is_refused) {
  refuse(
      [](Plan& p) {
        std::vector<Instr>& list = p.programs[0].instrs;
        const auto last = std::find_if(list.rbegin(), list.rend(), [](const Instr& i) {
          return i.kind == InstrKind::backward;
        });
        const Instr moved = *last;
        list.erase(std::next(last).base());
        list.insert(find(p, 0, InstrKind::backward), moved);
      },
      "runs before");
}

TEST(parameters_sent_before_their_update_are_refused) {
  refuse([](Plan& p) { p.programs[0].instrs.erase(find(p, 0, InstrKind::update)); },
         "before their update", "data");
}

TEST(a_plan_for_another_graph_is_refused) {
  refuse([](Plan& p) { p.graph_hash = "0123456789abcdef"; }, "plan again");
}

TEST(a_plan_says_what_activations_are_stored_as_only_where_that_is_not_fp32) {
  Plan plan = plan_of("data", 2, 2);
  CHECK(plan_text(plan).find("bf16") == std::string::npos);
  for (bool sync : {false, true}) {
    plan.grid.dtype = DType::bf16;
    plan.grid.bn_sync = sync;
    const Plan back = parse_plan(plan_text(plan));
    CHECK(back.grid.dtype == DType::bf16);
    CHECK_EQ(back.grid.bn_sync, sync);
    CHECK(plan_text(back) == plan_text(plan));
  }
}

TEST(a_plan_for_another_optimizer_counts_what_that_keeps_and_says_its_name) {
  const Graph g = graph();
  const Plan plan = plan_of("data", 2, 2);
  CHECK(plan_text(plan).find("sgd") == std::string::npos);
  const Plan other = for_optimizer(g, plan, OptimizerKind::adamw);
  verify_plan(g, other);
  std::int64_t more = 0, elems = 0;
  for (std::size_t r = 0; r < 2; ++r)
    more += other.programs[r].param_bytes - plan.programs[r].param_bytes;
  for (const Param& p : g.params) elems += p.elems();
  CHECK_EQ(more, 4 * elems);
  const Plan back = parse_plan(plan_text(other));
  CHECK(back.grid.optimizer == OptimizerKind::adamw);
  CHECK(plan_text(back) == plan_text(other));
  CHECK(plan_text(for_optimizer(g, back, OptimizerKind::sgd)) == plan_text(plan));
}

TEST(an_optimizer_that_moves_more_bytes_takes_longer) {
  const Graph g = graph();
  const GroupedGraph grouped = fuse_groups(g);
  const Group& dense = grouped.groups.at(grouped.groups.size() - 2);
  const double sgd = update_seconds({}, g, dense, 1000, OptimizerKind::sgd);
  CHECK_NEAR(sgd, 1000 * Machine{}.update_seconds_per_elem, 1e-12);
  // Of the gradient, weight and states 24 bytes, and 32.
  CHECK_NEAR(update_seconds({}, g, dense, 1000, OptimizerKind::adamw), sgd * 32 / 24, 1e-12);
}

TEST(a_damaged_text_is_refused_with_its_line) {
  const std::string text = plan_text(plan_of("data", 2, 2));
  CHECK_THROWS(parse_plan(text.substr(0, text.size() / 2)), ErrorCode::invalid_plan, "line");
  CHECK_THROWS(parse_plan("hello"), ErrorCode::invalid_plan, "line 1");
  CHECK_THROWS(parse_plan(""), ErrorCode::invalid_plan, "hpmp-plan 1");
}

TEST(a_plan_above_the_memory_limit_says_by_how_much) {
  GridSpec grid;
  grid.batch = 8;
  const Graph g = graph();
  const Hypergraph h = build_hypergraph(g, checked_grid(g, grid));
  Machine machine;
  machine.memory_limit_bytes = 1024;
  CHECK_THROWS(build_plan(h, baseline(h, "filter", 2), machine, "filter"), ErrorCode::infeasible,
               "above the limit");
}

TEST(tensors_that_do_not_meet_share_an_offset_and_those_that_do_never_overlap) {
  std::vector<Lifetime> tensors{{100, 0, 2, 0}, {64, 3, 5, 0}, {200, 1, 4, 0}, {10, 2, 3, 0}};
  const std::int64_t arena = assign_offsets(tensors);
  CHECK_EQ(tensors[2].offset, 0);
  CHECK_EQ(tensors[0].offset, 256);
  CHECK_EQ(tensors[1].offset, 256);
  CHECK_EQ(tensors[3].offset, 384);
  CHECK_EQ(arena, 448);
}

TEST(live_bytes_count_every_tensor_from_its_first_to_its_last_instruction) {
  const std::vector<Lifetime> tensors{{100, 0, 2, 0}, {64, 2, 9, 0}, {7, 3, 2, 0}};
  CHECK(live_bytes(tensors, 4) == (std::vector<std::int64_t>{100, 100, 164, 64}));
  CHECK(live_bytes({}, 0).empty());
}
