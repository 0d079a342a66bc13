// Plans with statistics that shards share: their text form, and those that must be refused.
#include <algorithm>
#include <functional>

#include "check.h"
#include "graph/passes.h"
#include "graph/text.h"
#include "partition/baselines.h"
#include "plan/plan.h"

using namespace hpmp;

namespace {

const char* kGraph = R"(hpmp-graph 1
input x 3 4 4
param w weight 32 3 3 3
param s scale 32
param t shift 32
param m running_mean 32
param v running_var 32
param fc weight 4 32
node Conv c : x : w : a kernel=3,3 pads=1,1,1,1
node BatchNormalization n : a : s t m v : b
node Relu r : b : : d
node GlobalAveragePool p : d : : e
node Flatten f : e : : g
node Dense fc : g : fc : y
output y
)";

Graph graph() { return with_loss(with_late_flatten(without_dead_nodes(parse_graph(kGraph)))); }

Plan shared_plan(const Machine& machine = {}, std::int64_t bn_group = 8) {
  GridSpec grid;
  grid.batch = 8;
  grid.shards = 4;
  grid.bn_group = bn_group;
  grid.bn_sync = true;
  const Graph g = graph();
  const Hypergraph h = build_hypergraph(g, checked_grid(g, grid));
  return build_plan(h, baseline(h, "data", 2), machine, "data");
}

void refuse(const std::function<void(Plan&)>& damage, const std::string& because) {
  Plan plan = shared_plan();
  damage(plan);
  CHECK_THROWS(verify_plan(graph(), plan), ErrorCode::invalid_plan, because);
}

using Predicate = std::function<bool(const Plan&, const Instr&)>;

Predicate of_kind(InstrKind kind, MessageKind message) {
  return [=](const Plan& p, const Instr& i) {
    return i.kind == kind && p.messages[static_cast<std::size_t>(i.message)].kind == message;
  };
}

Predicate of_stage(InstrKind kind, std::int32_t stage) {
  return [=](const Plan&, const Instr& i) { return i.kind == kind && i.stage == stage; };
}

/// The rank and position of the first that fits.
std::pair<std::vector<Instr>*, std::vector<Instr>::iterator> find(Plan& plan,
                                                                  const Predicate& fits) {
  for (RankProgram& program : plan.programs) {
    const auto it = std::find_if(program.instrs.begin(), program.instrs.end(),
                                 [&](const Instr& i) { return fits(plan, i); });
    if (it != program.instrs.end()) return {&program.instrs, it};
  }
  CHECK(false);
  return {};
}

void erase(Plan& plan, const Predicate& fits) {
  const auto [list, it] = find(plan, fits);
  list->erase(it);
}

void move_to_end(Plan& plan, const Predicate& fits) {
  const auto [list, it] = find(plan, fits);
  std::rotate(it, it + 1, list->end());
}

Message& message(Plan& plan, MessageKind kind) {
  return *std::find_if(plan.messages.begin(), plan.messages.end(),
                       [&](const Message& m) { return m.kind == kind; });
}

}  // namespace

TEST(a_plan_with_shared_statistics_is_accepted_and_its_text_round_trips) {
  const Plan plan = shared_plan();
  verify_plan(graph(), plan);
  const std::string text = plan_text(plan);
  CHECK(text.find(" sync\n") != std::string::npos);
  CHECK(text.find("FWD 1 0/1 -1") != std::string::npos);
  const Plan again = parse_plan(text);
  CHECK_EQ(plan_text(again), text);
  verify_plan(graph(), again);
}

TEST(a_stage_that_begins_before_its_statistics_are_there_is_refused) {
  refuse([](Plan& p) { move_to_end(p, of_stage(InstrKind::forward, 0)); },
         "before stage 0 of shard");
  refuse([](Plan& p) { erase(p, of_stage(InstrKind::forward, 0)); }, "before stage 0 of shard");
  refuse([](Plan& p) { erase(p, of_stage(InstrKind::backward, 1)); },
         "runs before the backward of shard 0");
  refuse([](Plan& p) { move_to_end(p, of_kind(InstrKind::reduce, MessageKind::statistics)); },
         "before the statistics from rank");
  refuse([](Plan& p) { move_to_end(p, of_kind(InstrKind::recv, MessageKind::statistics_sum)); },
         "before the statistics from rank");
  refuse(
      [](Plan& p) {
        move_to_end(p, of_kind(InstrKind::recv, MessageKind::gradient_statistics_sum));
      },
      "before the statistics from rank");
}

TEST(statistics_that_are_added_twice_or_not_at_all_are_refused) {
  const std::string because = "does not add every rank's part once and give the sum to each";
  refuse([](Plan& p) { message(p, MessageKind::statistics).letters[0].pieces.pop_back(); },
         because);
  refuse(
      [](Plan& p) {
        message(p, MessageKind::gradient_statistics_sum).letters[0].pieces.pop_back();
      },
      because);
  refuse(
      [](Plan& p) {
        Message& m = message(p, MessageKind::statistics);
        m.letters[0].pieces.push_back(m.letters[0].pieces[0]);
      },
      because);
  refuse(
      [](Plan& p) {
        Message& m = message(p, MessageKind::statistics);
        std::swap(m.from, m.to);
      },
      because);
}

TEST(stages_and_tensors_of_statistics_must_exist) {
  refuse([](Plan& p) { message(p, MessageKind::statistics).letters[0].stage = 1; },
         "names a stage");
  refuse(
      [](Plan& p) {
        const Tag tag = message(p, MessageKind::statistics).tag;
        p.messages[static_cast<std::size_t>(tag)].letters[0].shard = 1;
        for (RankProgram& program : p.programs) {
          for (Instr& i : program.instrs) {
            if (i.message == tag) i.shard = 1;
          }
        }
      },
      "names a stage or a first shard");
  refuse([](Plan& p) { find(p, of_stage(InstrKind::forward, 1)).second->stage = 2; },
         "names a stage");
  const auto without = [](TensorKind kind, const std::string& because) {
    refuse(
        [&](Plan& p) {
          std::vector<PlannedTensor>& tensors = p.programs[0].tensors;
          tensors.erase(std::find_if(tensors.begin(), tensors.end(),
                                     [&](const PlannedTensor& t) { return t.kind == kind; }));
        },
        because);
  };
  without(TensorKind::statistics, "has no statistics tensor");
  without(TensorKind::stage_grad, "has no stage_grad tensor");
}

TEST(a_grid_that_does_not_fit_the_graph_is_refused) {
  refuse([](Plan& p) { p.grid.bn_sync = false; }, "4 shards cut batch-norm groups of 8 samples");
}

TEST(shards_that_share_statistics_are_under_way_together_whatever_the_memory) {
  Machine machine;
  machine.memory_goal_bytes = 1;
  for (std::int64_t bn_group : {4, 8}) {
    const Plan tightly = shared_plan(machine, bn_group), freely = shared_plan({}, bn_group);
    verify_plan(graph(), tightly);
    for (std::size_t r = 0; r < 2; ++r)
      CHECK(tightly.programs[r].arena_bytes <= freely.programs[r].arena_bytes);
  }
}
