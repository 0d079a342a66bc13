// Small messages that travel together: the same letters, fewer messages, no longer a step.
#include "check.h"
#include "plan/bundling.h"
#include "plan_case.h"

using namespace hpmp;

namespace {

/// Small layers, one behind the other: small gradients, ready one after the other.
Graph deep() {
  std::string text =
      "hpmp-graph 1\ninput x 3 8 8\nparam w0 weight 16 3 3 3\nparam fc weight 4 16\n";
  std::string nodes = "node Conv c0 : x : w0 : v0 kernel=3,3 pads=1,1,1,1\n";
  for (int i = 1; i < 6; ++i) {
    const std::string n = std::to_string(i);
    text += "param w" + n + " weight 16 16 3 3\n";
    nodes += "node Conv c" + n + " : v" + std::to_string(i - 1) + " : w" + n + " : v" + n +
             " kernel=3,3 pads=1,1,1,1\n";
  }
  nodes +=
      "node GlobalAveragePool gap : v5 : : g\nnode Flatten f : g : : e\n"
      "node Dense fc : e : fc : y\noutput y\n";
  return with_loss(with_late_flatten(without_dead_nodes(parse_graph(text + nodes))));
}

Hypergraph cut(const Graph& g) {
  GridSpec grid;
  grid.batch = 8;
  grid.shards = 4;
  grid.channel_block = 8;
  return build_hypergraph(g, checked_grid(g, grid));
}

/// Slow enough for messages to be waited for by nobody.
Machine slow() {
  Machine machine;
  machine.flops_per_second = 1e9;
  return machine;
}

Plan bundled() {
  const Hypergraph h = cut(deep());
  return build_plan(h, baseline(h, "data", 2), slow(), "data");
}

std::size_t letters(const Plan& plan) {
  std::size_t count = 0;
  for (const Message& m : plan.messages) count += m.letters.size();
  return count;
}

/// The first message of the kind that carries more than one letter.
Message& bundle_of(Plan& plan, MessageKind kind) {
  const auto found =
      std::find_if(plan.messages.begin(), plan.messages.end(),
                   [&](const Message& m) { return m.kind == kind && m.letters.size() > 1; });
  CHECK(found != plan.messages.end());
  return *found;
}

}  // namespace

TEST(bundled_messages_carry_what_single_ones_would_in_no_longer_a_step) {
  const Hypergraph h = cut(deep());
  const Machine machine = slow();
  const StepModel model = make_step_model(h, machine);
  for (const char* strategy : {"data", "layer", "filter", "owt"}) {
    const Placement p = baseline(h, strategy, 2);
    TaskBuilder builder(model, 2);
    builder.place(p.part);
    const Schedule single = best_schedule(builder.linked(), machine);
    const std::vector<Flow> flows = builder.graph().flows;
    const Plan plan = build_plan(h, p, machine, strategy);
    CHECK(plan.step_seconds <= single.makespan * (1 + 1e-9));
    CHECK_EQ(letters(plan), flows.size());
    std::int64_t elems = 0;
    for (const Message& m : plan.messages) {
      std::int64_t sum = 0;
      for (const Letter& l : m.letters) sum += l.elems;
      CHECK_EQ(m.elems, sum);
      elems += sum;
    }
    CHECK_EQ(elems, plan.activation_elems + plan.parameter_elems);
  }
}

TEST(small_gradients_of_parameters_travel_together) {
  const Plan plan = bundled();
  verify_plan(deep(), plan);
  CHECK(plan.messages.size() < letters(plan));
  for (const Message& m : plan.messages) {
    for (const Letter& l : m.letters) CHECK(l.elems > 0 && !l.pieces.empty());
  }
}

TEST(a_plan_with_bundles_reads_back_as_it_was_written) {
  const std::string text = plan_text(bundled());
  CHECK(text.find(" + ") != std::string::npos);
  CHECK_EQ(plan_text(parse_plan(text)), text);
  verify_plan(deep(), parse_plan(text));
}

TEST(a_slow_link_that_the_step_waits_for_keeps_urgent_messages_apart) {
  const Hypergraph h = cut(deep());
  Machine machine;
  machine.link_bytes_per_second = 1e6;
  const StepModel model = make_step_model(h, machine);
  TaskBuilder builder(model, 2);
  const Placement p = baseline(h, "layer", 2);
  builder.place(p.part);
  const Schedule single = best_schedule(builder.linked(), machine);
  CHECK_EQ(build_plan(h, p, machine, "layer").step_seconds, single.makespan);
}

TEST(a_bundle_that_leaves_before_one_of_its_letters_is_there_is_refused) {
  Plan plan = bundled();
  const Message& m = bundle_of(plan, MessageKind::param);
  RankProgram& program = plan.programs[static_cast<std::size_t>(m.from)];
  live_for_ever(program);
  std::vector<Instr>& list = program.instrs;
  const auto send = std::find_if(list.begin(), list.end(), [&](const Instr& i) {
    return i.kind == InstrKind::send && i.message == m.tag;
  });
  const Instr moved = *send;
  list.erase(send);
  list.insert(find(plan, static_cast<std::size_t>(m.from), InstrKind::update), moved);
  CHECK_THROWS(verify_plan(deep(), plan), ErrorCode::invalid_plan,
               "sends parameters before their update");
}

TEST(a_gradient_that_leaves_before_its_reader_ran_is_refused) {
  refuse(
      [](Plan& p) {
        for (std::size_t r = 0; r < 2; ++r) {
          std::vector<Instr>& list = p.programs[r].instrs;
          const auto send = std::find_if(list.begin(), list.end(), [&](const Instr& i) {
            return i.kind == InstrKind::send &&
                   p.messages[static_cast<std::size_t>(i.message)].kind == MessageKind::gradient;
          });
          if (send == list.end()) continue;
          live_for_ever(p.programs[r]);
          const Instr moved = *send;
          list.erase(send);
          list.insert(list.begin(), moved);
          return;
        }
      },
      "before the backward of its reader", "layer");
}

TEST(a_message_of_statistics_of_two_groups_is_refused) {
  refuse(
      [](Plan& p) {
        for (RankProgram& program : p.programs) program.instrs.clear();
        Message& m = p.messages[0];
        m.kind = MessageKind::statistics;
        m.letters.push_back(m.letters[0]);
      },
      "statistics of more than one group");
}

TEST(a_letter_without_pieces_is_no_text_of_a_plan) {
  std::string text = plan_text(bundled());
  const std::size_t at = text.find(" + ");
  text.insert(at, " +");
  CHECK_THROWS(parse_plan(text), ErrorCode::invalid_plan, "'+' is not an integer");
}
