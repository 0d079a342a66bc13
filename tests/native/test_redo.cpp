// Forward tasks that run twice: the same training in less memory, and what the verifier refuses.
#include "engine_run.h"
#include "plan_figures.h"

using namespace engine_run;

namespace {

/// Normalised convolutions behind each other, a skip, and a dropout.
const char* kGraph = R"(hpmp-graph 1
input x 3 8 8
param w0 weight 32 3 3 3
param w1 weight 32 32 3 3
param s1 scale 32
param t1 shift 32
param m1 running_mean 32
param v1 running_var 32
param w2 weight 32 32 3 3
param s2 scale 32
param t2 shift 32
param m2 running_mean 32
param v2 running_var 32
param w3 weight 32 32 3 3
param w4 weight 32 32 3 3
param w5 weight 32 32 3 3
param fc weight 10 512
node Conv c0 : x : w0 : a kernel=3,3 pads=1,1,1,1
node Relu r0 : a : : b
node Conv c1 : b : w1 : c kernel=3,3 pads=1,1,1,1
node BatchNormalization b1 : c : s1 t1 m1 v1 : d
node Relu r1 : d : : e
node Conv c2 : e : w2 : f kernel=3,3 pads=1,1,1,1
node BatchNormalization b2 : f : s2 t2 m2 v2 : g
node Add add : g b : : h
node Relu r2 : h : : i
node Conv c3 : i : w3 : j kernel=3,3 pads=1,1,1,1
node Relu r3 : j : : k
node Dropout drop : k : : l ratio=0.25
node Conv c4 : l : w4 : m kernel=3,3 pads=1,1,1,1
node Relu r4 : m : : n
node Conv c5 : n : w5 : o kernel=3,3 pads=1,1,1,1
node Relu r5 : o : : p
node MaxPool pool : p : : q kernel=2,2 strides=2,2
node Flatten flat : q : : r
node Dense fc : r : fc : y
output y
)";

Machine with(Recompute recompute, std::int64_t goal = 0) {
  Machine machine;
  machine.recompute = recompute;
  machine.memory_goal_bytes = goal;
  return machine;
}

Plan plan_with(const Machine& machine, const char* strategy = "data", int ranks = 1,
               std::int64_t shards = 1) {
  const Hypergraph h = cut(training_graph(kGraph), shards, 4);
  return build_plan(h, baseline(h, strategy, ranks), machine, strategy);
}

std::int64_t redone(const Plan& plan) {
  std::int64_t count = 0;
  for (const RankProgram& p : plan.programs) {
    for (const Instr& i : p.instrs) count += i.kind == InstrKind::redo ? 1 : 0;
  }
  return count;
}

std::size_t first_redo(const RankProgram& program) {
  std::size_t i = 0;
  while (program.instrs.at(i).kind != InstrKind::redo) ++i;
  return i;
}

/// Without the instruction; lifetimes go on naming the others.
void take_out(RankProgram& program, std::size_t at) {
  program.instrs.erase(program.instrs.begin() + static_cast<std::ptrdiff_t>(at));
  const auto moved = [&](std::int32_t& i) { i -= i > static_cast<std::int32_t>(at) ? 1 : 0; };
  for (PlannedTensor& t : program.tensors) {
    for (std::int32_t* i : {&t.first, &t.last, &t.again_first, &t.again_last}) moved(*i);
  }
}

void refuse(void (*damage)(Plan&), const char* because) {
  Plan plan = plan_with(with(Recompute::always));
  damage(plan);
  CHECK_THROWS(verify_plan(training_graph(kGraph), plan), ErrorCode::invalid_plan, because);
}

}  // namespace

TEST(computing_again_takes_less_memory_and_longer) {
  const Plan freely = plan_with(with(Recompute::never));
  const Plan again = plan_with(with(Recompute::always));
  verify_plan(training_graph(kGraph), again);
  CHECK_EQ(redone(freely), 0);
  CHECK(redone(again) > 0);
  CHECK(8 * most_arena(again) < 7 * most_arena(freely));
  CHECK(again.step_seconds > freely.step_seconds);
  CHECK_EQ(plan_text(parse_plan(plan_text(again))), plan_text(again));
}

TEST(without_a_limit_nothing_is_computed_again_unless_asked) {
  CHECK_EQ(plan_text(plan_with(with(Recompute::when_short))),
           plan_text(plan_with(with(Recompute::never))));
}

TEST(a_limit_that_nothing_else_keeps_is_kept_at_the_least_cost) {
  const Plan freely = plan_with(with(Recompute::never)), all = plan_with(with(Recompute::always));
  const std::int64_t bytes = most_arena(freely) + freely.programs[0].param_bytes;
  const std::int64_t goal = bytes - most_arena(freely) / 10;
  const Plan some = plan_with(with(Recompute::when_short, goal));
  CHECK(most_arena(some) + some.programs[0].param_bytes <= goal);
  CHECK(redone(some) > 0);
  CHECK(some.step_seconds < all.step_seconds);
}

TEST(what_is_sent_is_the_same) {
  for (const char* strategy : {"data", "layer", "filter", "owt"}) {
    const Plan freely = plan_with(with(Recompute::never), strategy, 2, 2);
    const Plan again = plan_with(with(Recompute::always), strategy, 2, 2);
    verify_plan(training_graph(kGraph), again);
    CHECK_EQ(again.activation_elems, freely.activation_elems);
    CHECK_EQ(again.parameter_elems, freely.parameter_elems);
    CHECK(most_arena(again) <= most_arena(freely));
  }
}

TEST(the_predicted_memory_is_the_plans_but_for_holes) {
  for (const char* strategy : {"data", "layer", "filter"}) {
    const Hypergraph h = cut(training_graph(kGraph), 2, 4);
    const Placement p = baseline(h, strategy, 2);
    const Plan plan = build_plan(h, p, with(Recompute::always), strategy);
    const Prediction predicted = predict(h, p.part, 2, with(Recompute::always));
    CHECK_EQ(predicted.step_seconds, plan.step_seconds);
    for (std::size_t r = 0; r < 2; ++r) {
      const std::int64_t bytes = plan.programs[r].arena_bytes + plan.programs[r].param_bytes;
      CHECK(predicted.memory_bytes[r] <= bytes);
      CHECK(5 * predicted.memory_bytes[r] >= 4 * bytes);
    }
  }
}

TEST(one_rank_trains_bit_by_bit_as_without) {
  const Hypergraph h = cut(training_graph(kGraph), 1, 4);
  const Run freely = train(h.graph, plan_with(with(Recompute::never)), h.nets.size());
  const Run again = train(h.graph, plan_with(with(Recompute::always)), h.nets.size());
  CHECK(freely.losses[0] > 0);
  CHECK(again.losses == freely.losses);
  CHECK(again.params == freely.params);
  CHECK_EQ(again.eval_loss, freely.eval_loss);
}

TEST(several_ranks_train_as_one_does) {
  const Hypergraph whole = cut(training_graph(kGraph), 1, 4);
  const Run one = train(whole.graph, plan_with(with(Recompute::never)), whole.nets.size());
  for (const char* strategy : {"data", "layer", "filter", "owt"}) {
    const Plan plan = plan_with(with(Recompute::always), strategy, 2, 6);
    const Hypergraph h = cut(training_graph(kGraph), 6, 4);
    const Run run = train(h.graph, plan, h.nets.size());
    CHECK(worst_difference(run, one) < 1e-4);
    CHECK_EQ(run.bytes(), kSteps * bytes_of_messages(plan));
  }
}

TEST(a_missing_recomputation_is_refused) {
  refuse([](Plan& p) { take_out(p.programs[0], first_redo(p.programs[0])); },
         "outside its lifetime");
}

TEST(a_recomputation_after_its_reader_is_refused) {
  refuse(
      [](Plan& p) {
        std::vector<Instr>& list = p.programs[0].instrs;
        const std::size_t at = first_redo(p.programs[0]);
        std::size_t reader = at;
        while (list[reader].kind != InstrKind::backward) ++reader;
        std::rotate(list.begin() + static_cast<std::ptrdiff_t>(at),
                    list.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                    list.begin() + static_cast<std::ptrdiff_t>(reader) + 1);
      },
      "");
}

TEST(a_recomputation_that_runs_twice_or_too_late_is_refused) {
  refuse(
      [](Plan& p) {
        std::vector<Instr>& list = p.programs[0].instrs;
        list.push_back(list[first_redo(p.programs[0])]);
      },
      "runs twice");
}
