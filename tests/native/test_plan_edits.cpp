// Plans edited by hand: whatever would crash, hang or train something else is refused by name.
#include <algorithm>
#include <functional>

#include "check.h"
#include "plan_case.h"

using namespace hpmp;

namespace {

/// Every plan that lacks one tensor of the kind.
void refuse_without_tensor(TensorKind kind) {
  for (const char* strategy : {"filter", "layer"}) {
    const Plan whole = plan_of(strategy, 2, 2);
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t i = 0; i < whole.programs[r].tensors.size(); ++i) {
        if (whole.programs[r].tensors[i].kind != kind) continue;
        Plan plan = whole;
        plan.programs[r].tensors.erase(plan.programs[r].tensors.begin() +
                                       static_cast<std::ptrdiff_t>(i));
        CHECK_THROWS(verify_plan(graph(), plan), ErrorCode::invalid_plan, "rank");
      }
    }
  }
}

Message* message_of(Plan& plan, MessageKind kind) {
  const auto found = std::find_if(plan.messages.begin(), plan.messages.end(),
                                  [kind](const Message& m) { return m.kind == kind; });
  CHECK(found != plan.messages.end());
  return &*found;
}

}  // namespace

TEST(a_missing_tensor_of_any_kind_is_refused) {
  for (TensorKind kind : {TensorKind::image, TensorKind::image_grad, TensorKind::saved,
                          TensorKind::send_buffer, TensorKind::recv_buffer})
    refuse_without_tensor(kind);
}

TEST(a_tensor_of_other_channels_than_its_image_is_refused) {
  refuse(
      [](Plan& p) {
        for (PlannedTensor& t : p.programs[0].tensors) {
          if (t.kind == TensorKind::image_grad) t.channels = {{0, 1}};
        }
      },
      "needs channels");
}

TEST(a_tensor_of_channels_that_do_not_exist_is_refused) {
  refuse([](Plan& p) { p.programs[0].tensors[0].channels.back().end = 1 << 20; }, "do not exist");
}

TEST(a_message_of_channels_that_an_end_does_not_hold_is_refused) {
  refuse(
      [](Plan& p) {
        Message& m = *message_of(p, MessageKind::activation);
        const Rank to = m.to;
        for (PlannedTensor& t : p.programs[static_cast<std::size_t>(to)].tensors) {
          if (t.kind == TensorKind::image && t.group == m.lead().group && t.shard == m.lead().shard)
            t.channels = subtract(t.channels, {m.letters[0].pieces[0].range});
        }
      },
      "of which it holds");
}

TEST(a_message_that_carries_a_piece_twice_is_refused) {
  refuse(
      [](Plan& p) {
        Message& m = *message_of(p, MessageKind::gradient);
        m.letters[0].pieces.push_back(m.letters[0].pieces[0]);
      },
      "the same piece twice");
}

TEST(a_gradient_with_fewer_pieces_than_were_lent_is_refused) {
  refuse([](Plan& p) { message_of(p, MessageKind::param_gradient)->letters[0].pieces.pop_back(); },
         "must return to rank", "data");
}

TEST(a_parameter_that_is_never_updated_is_refused) {
  refuse(
      [](Plan& p) {
        std::vector<Instr>& list = p.programs[0].instrs;
        list.erase(std::remove_if(list.begin(), list.end(),
                                  [](const Instr& i) { return i.kind == InstrKind::update; }),
                   list.end());
        live_for_ever(p.programs[0]);
      },
      "is never updated");
}

TEST(an_update_before_a_gradient_has_arrived_is_refused) {
  refuse(
      [](Plan& p) {
        for (RankProgram& program : p.programs) {
          live_for_ever(program);
          std::vector<Instr>& list = program.instrs;
          std::stable_partition(list.begin(), list.end(), [](const Instr& i) {
            return i.kind != InstrKind::reduce && i.kind != InstrKind::post;
          });
        }
      },
      "has arrived", "data");
}

TEST(rows_of_a_parameter_that_a_task_reads_must_be_there) {
  refuse(
      [](Plan& p) {
        for (ParamRows& rows : p.programs[0].params) {
          if (!rows.owned.empty()) rows.used = rows.owned;
        }
      },
      "without rows", "data");
}

TEST(a_load_of_what_is_no_input_is_refused) {
  refuse([](Plan& p) { find(p, 0, InstrKind::load)->group = GroupId(1); }, "no input");
}

TEST(an_instruction_for_another_group_than_its_message_is_refused) {
  refuse([](Plan& p) { find(p, 0, InstrKind::send)->shard ^= 1; }, "than its message");
}

TEST(a_grid_that_makes_no_sense_is_refused) {
  refuse([](Plan& p) { p.grid.bn_group = -3; }, "bn_group");
  refuse([](Plan& p) { p.grid.shards = 3; }, "do not divide");
}

TEST(bytes_of_parameters_that_are_not_true_are_refused) {
  refuse([](Plan& p) { p.programs[0].param_bytes -= 4; }, "the plan says");
}
