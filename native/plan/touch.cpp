#include "plan/touch.h"

#include "plan/chain.h"

namespace hpmp {
namespace {

GroupId source_group(const GroupedGraph& grouped, const Segment& s) {
  return grouped.group_of_value[s.source.at()];
}

void touch_forward(const GroupedGraph& grouped, const Instr& instr, std::vector<TensorKey>& keys) {
  const Group& g = grouped.group(instr.group);
  for (const GroupInput& in : g.inputs) {
    for (const Segment& s : in.view.segments) {
      keys.push_back({TensorKind::image, source_group(grouped, s), instr.shard, -1});
    }
  }
  keys.push_back({TensorKind::saved, instr.group, instr.shard, -1});
  keys.push_back({TensorKind::image, instr.group, instr.shard, -1});
}

void touch_backward(const Graph& graph, const GroupedGraph& grouped, const Instr& instr,
                    std::vector<TensorKey>& keys) {
  const Group& g = grouped.group(instr.group);
  for (std::size_t k = 0; k < g.inputs.size(); ++k) {
    for (const Segment& s : g.inputs[k].view.segments) {
      const GroupId source = source_group(grouped, s);
      if (backward_reads_input(graph, g, k))
        keys.push_back({TensorKind::image, source, instr.shard, -1});
      if (grouped.group(source).requires_grad)
        keys.push_back({TensorKind::image_grad, source, instr.shard, -1});
    }
  }
  keys.push_back({TensorKind::saved, instr.group, instr.shard, -1});
  if (backward_reads_output(graph, g))
    keys.push_back({TensorKind::image, instr.group, instr.shard, -1});
  keys.push_back({TensorKind::image_grad, instr.group, instr.shard, -1});
}

void touch_message(const Message& m, TensorKind buffer, std::vector<TensorKey>& keys) {
  keys.push_back({buffer, GroupId(), -1, m.tag});
  if (m.kind == MessageKind::activation) keys.push_back({TensorKind::image, m.group, m.shard, -1});
  if (m.kind == MessageKind::gradient)
    keys.push_back({TensorKind::image_grad, m.group, m.shard, -1});
}

}  // namespace

TensorKey key_of(const PlannedTensor& t) {
  const bool buffer = t.kind == TensorKind::send_buffer || t.kind == TensorKind::recv_buffer;
  return buffer ? TensorKey{t.kind, GroupId(), -1, t.message}
                : TensorKey{t.kind, t.group, t.shard, -1};
}

std::vector<TensorKey> touched(const Graph& graph, const GroupedGraph& grouped,
                               const std::vector<Message>& messages, const Instr& instr) {
  std::vector<TensorKey> keys;
  switch (instr.kind) {
    case InstrKind::load:
      keys.push_back({TensorKind::image, instr.group, instr.shard, -1});
      break;
    case InstrKind::forward:
      touch_forward(grouped, instr, keys);
      break;
    case InstrKind::backward:
      touch_backward(graph, grouped, instr, keys);
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
