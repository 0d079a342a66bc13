#include "plan/touch.h"

#include "hypergraph/stages.h"
#include "plan/chain.h"

namespace hpmp {
namespace {

/// What a group's stages look at to find their tensors.
struct Staged {
  const Graph& graph;
  const GroupedGraph& grouped;
  const GridSpec& grid;
  const Instr& instr;
  const Group& group;
  std::vector<std::size_t> norms;

  std::int32_t last_stage() const { return static_cast<std::int32_t>(norms.size()); }
};

void touch_exchanged(const Staged& at, std::vector<TensorKey>& keys) {
  if (at.norms.empty()) return;
  const std::int32_t shard = at.grid.first_sharing(at.instr.shard);
  keys.push_back({TensorKind::statistics, at.instr.group, shard, -1});
}

void touch_forward(const Staged& at, std::vector<TensorKey>& keys) {
  const Instr& instr = at.instr;
  const StageNodes nodes = forward_nodes(at.group, at.norms, instr.stage);
  for (const GroupInput& in : at.group.inputs) {
    // A batch_norm that heads its chain sums its operand before it runs.
    if (!nodes.has(in.node) && in.node + instr.stage > 0) continue;
    for (ValueId source : in.view.sources) {
      const GroupId from = at.grouped.group_of_value[source.at()];
      keys.push_back({TensorKind::image, from, instr.shard, -1});
    }
  }
  touch_exchanged(at, keys);
  keys.push_back({TensorKind::saved, instr.group, instr.shard, -1});
  if (instr.stage == at.last_stage())
    keys.push_back({TensorKind::image, instr.group, instr.shard, -1});
}

void touch_inputs_backward(const Staged& at, std::vector<TensorKey>& keys) {
  const StageNodes nodes = backward_nodes(at.group, at.norms, at.instr.stage);
  for (std::size_t k = 0; k < at.group.inputs.size(); ++k) {
    const GroupInput& in = at.group.inputs[k];
    const bool runs = nodes.has(in.node);
    for (ValueId value : in.view.sources) {
      const GroupId source = at.grouped.group_of_value[value.at()];
      if ((runs || in.node + 1 == nodes.begin) && backward_reads_input(at.graph, at.group, k))
        keys.push_back({TensorKind::image, source, at.instr.shard, -1});
      if (runs && at.grouped.group(source).requires_grad)
        keys.push_back({TensorKind::image_grad, source, at.instr.shard, -1});
    }
  }
}

void touch_backward(const Staged& at, std::vector<TensorKey>& keys) {
  const Instr& instr = at.instr;
  touch_inputs_backward(at, keys);
  touch_exchanged(at, keys);
  keys.push_back({TensorKind::saved, instr.group, instr.shard, -1});
  if (!at.norms.empty()) keys.push_back({TensorKind::stage_grad, instr.group, instr.shard, -1});
  if (instr.stage > 0) return;
  if (backward_reads_output(at.graph, at.group, at.grid))
    keys.push_back({TensorKind::image, instr.group, instr.shard, -1});
  keys.push_back({TensorKind::image_grad, instr.group, instr.shard, -1});
}

void touch_message(const Message& m, TensorKind buffer, std::vector<TensorKey>& keys) {
  keys.push_back({buffer, GroupId(), -1, m.tag});
  if (carries_params(m.kind)) return;
  TensorKind kind = TensorKind::statistics;
  if (m.kind == MessageKind::activation) kind = TensorKind::image;
  if (m.kind == MessageKind::gradient) kind = TensorKind::image_grad;
  for (const Letter& l : m.letters) keys.push_back({kind, l.group, l.shard, -1});
}

}  // namespace

TensorKey key_of(const PlannedTensor& t) {
  const bool buffer = t.kind == TensorKind::send_buffer || t.kind == TensorKind::recv_buffer;
  return buffer ? TensorKey{t.kind, GroupId(), -1, t.message}
                : TensorKey{t.kind, t.group, t.shard, -1};
}

Lifetime lifetime_of(const PlannedTensor& t) {
  Lifetime life{t.bytes, t.first, t.last, t.offset};
  if (t.lives_again()) {
    life.again_first = t.again_first;
    life.again_last = t.again_last;
  }
  return life;
}

std::vector<TensorKey> touched(const Graph& graph, const GroupedGraph& grouped,
                               const GridSpec& grid, const std::vector<Message>& messages,
                               const Instr& instr) {
  const auto staged = [&] {
    const Group& group = grouped.group(instr.group);
    return Staged{graph, grouped, grid, instr, group, synced_norms(graph, group, grid)};
  };
  std::vector<TensorKey> keys;
  switch (instr.kind) {
    case InstrKind::load:
      keys.push_back({TensorKind::image, instr.group, instr.shard, -1});
      break;
    case InstrKind::forward:
    case InstrKind::redo:
      touch_forward(staged(), keys);
      break;
    case InstrKind::backward:
      touch_backward(staged(), keys);
      break;
    case InstrKind::send:
      touch_message(messages[static_cast<std::size_t>(instr.message)], TensorKind::send_buffer,
                    keys);
      break;
    case InstrKind::recv:
    case InstrKind::reduce:
      touch_message(messages[static_cast<std::size_t>(instr.message)], TensorKind::recv_buffer,
                    keys);
      break;
    case InstrKind::post:
      keys.push_back({TensorKind::recv_buffer, GroupId(), -1, instr.message});
      break;
    case InstrKind::wait:
      keys.push_back({TensorKind::send_buffer, GroupId(), -1, instr.message});
      break;
    case InstrKind::update:
      break;
  }
  return keys;
}

}  // namespace hpmp
