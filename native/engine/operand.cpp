#include "engine/operand.h"

#include "base/error.h"
#include "plan/ownership.h"

namespace hpmp {
namespace {

void add_stretches(Operand& operand, const GroupedGraph& grouped, Arena& arena, std::int32_t shard,
                   const Segment& segment) {
  const GroupId source = grouped.group_of_value[segment.source.at()];
  const ArenaTensor* image = arena.find({TensorKind::image, source, shard, -1});
  const std::int64_t at =
      image == nullptr ? -1 : packed_position(image->plan->channels, segment.source_c.begin);
  const std::int64_t end =
      image == nullptr ? -1 : packed_position(image->plan->channels, segment.source_c.end - 1);
  if (at < 0 || end - at != segment.source_c.size() - 1) {
    fail(ErrorCode::invalid_plan,
         "the plan's images lack channels [" + std::to_string(segment.source_c.begin) + ", " +
             std::to_string(segment.source_c.end) + ") of group " + std::to_string(source.index) +
             " that a task on the same rank reads");
  }
  operand.stretches.push_back({source, at, operand.channels, segment.source_c.size()});
  operand.channels += segment.source_c.size();
}

/// Whether the stretches are one image from its first channel to its last.
bool is_whole_image(const Operand& operand, Arena& arena, std::int32_t shard) {
  const Stretch& first = operand.stretches.front();
  std::int64_t next = 0;
  for (const Stretch& s : operand.stretches) {
    if (s.source != first.source || s.image_at != next) return false;
    next += s.count;
  }
  return next == arena.image(first.source, shard).ref.c;
}

Operand find_operand(const Graph& graph, const GroupedGraph& grouped, Arena& arena,
                     const Backend& backend, GroupId g, std::int32_t shard, const Ranges& channels,
                     std::size_t k) {
  const Group& group = grouped.group(g);
  Operand operand;
  for (Range need : needed_channels(graph, group, channels, k)) {
    for (const Segment& segment : group.inputs[k].view.within(need)) {
      add_stretches(operand, grouped, arena, shard, segment);
      operand.wants_grad |= grouped.group(operand.stretches.back().source).requires_grad;
    }
  }
  operand.shape = grouped.group(operand.stretches.front().source).shape;
  operand.dtype = arena.image(operand.stretches.front().source, shard).ref.dtype;
  operand.whole = is_whole_image(operand, arena, shard);
  const std::int64_t image_block = arena.image(operand.stretches.front().source, shard).ref.block;
  operand.block = operand.whole ? image_block : backend.block(operand.channels);
  return operand;
}

}  // namespace

std::vector<Operand> find_operands(const Graph& graph, const GroupedGraph& grouped, Arena& arena,
                                   const Backend& backend, GroupId g, std::int32_t shard,
                                   const Ranges& channels) {
  std::vector<Operand> operands;
  for (std::size_t k = 0; k < grouped.group(g).inputs.size(); ++k) {
    operands.push_back(find_operand(graph, grouped, arena, backend, g, shard, channels, k));
  }
  return operands;
}

TensorRef read_operand(const Operand& operand, Arena& arena, Backend& backend, std::int32_t shard,
                       Scratch& scratch) {
  const TensorRef& first = arena.image(operand.stretches.front().source, shard).ref;
  if (operand.whole) return first;
  const TensorRef packed =
      scratch.take_tensor(first.n, operand.channels, first.h, first.w, first.dtype);
  for (const Stretch& s : operand.stretches) {
    backend.copy_channels(
        {packed, s.operand_at, arena.image(s.source, shard).ref, s.image_at, s.count, false});
  }
  return packed;
}

void scatter_grad(const Operand& operand, const TensorRef& grad, Arena& arena, Backend& backend,
                  std::int32_t shard) {
  for (const Stretch& s : operand.stretches) {
    ArenaTensor* to = arena.image_grad(s.source, shard);
    if (to != nullptr)
      backend.copy_channels({to->ref, s.image_at, grad, s.operand_at, s.count, true});
  }
}

std::int64_t gather_bytes(const Operand& operand, std::int64_t samples) {
  return operand.whole ? 0
                       : Scratch::rounded(samples * operand.channels * operand.shape.h *
                                          operand.shape.w * elem_bytes(operand.dtype));
}

}  // namespace hpmp
