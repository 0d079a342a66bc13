// C functions that give a plan's contents as arrays: what reports draw.
#include "capi/handles.h"
#include "capi/wall.h"
#include "plan/reads.h"
#include "plan/touch.h"

using namespace hpmp;
using namespace hpmp::capi;

namespace {

/// Fills an array that may be null with `field(item)` of every item.
template <class Out, class Items, class Field>
void fill(Out* out, const Items& items, Field&& field) {
  if (!out) return;
  for (const auto& item : items) *out++ = static_cast<Out>(field(item));
}

std::vector<std::int64_t> live_of(const RankProgram& program) {
  std::vector<Lifetime> tensors;
  for (const PlannedTensor& t : program.tensors) tensors.push_back(lifetime_of(t));
  return live_bytes(tensors, program.instrs.size());
}

}  // namespace

extern "C" {

const char* hpmp_instruction_name(int32_t kind) {
  return kind >= 0 && kind < kInstrKinds ? instr_name(static_cast<InstrKind>(kind)) : nullptr;
}

hpmp_status hpmp_plan_program(const hpmp_plan* plan, int32_t rank, int32_t* kind, int32_t* group,
                              int32_t* shard, int32_t* message, int64_t* live_bytes) {
  return wall([&] {
    const RankProgram& program = program_of(plan, rank);
    fill(kind, program.instrs, [](const Instr& i) { return i.kind; });
    fill(group, program.instrs, [](const Instr& i) { return i.group.index; });
    fill(shard, program.instrs, [](const Instr& i) { return i.shard; });
    fill(message, program.instrs, [](const Instr& i) { return i.message; });
    if (live_bytes) fill(live_bytes, live_of(program), [](std::int64_t bytes) { return bytes; });
  });
}

hpmp_status hpmp_plan_messages(const hpmp_plan* plan, int32_t* kind, int32_t* from, int32_t* to,
                               int64_t* elems, int64_t* bytes) {
  return wall([&] {
    const std::vector<Message>& messages = plan_of(plan).messages;
    fill(kind, messages, [](const Message& m) { return m.kind; });
    fill(from, messages, [](const Message& m) { return m.from; });
    fill(to, messages, [](const Message& m) { return m.to; });
    fill(elems, messages, [](const Message& m) { return m.elems; });
    const DType dtype = plan_of(plan).grid.dtype;
    fill(bytes, messages, [&](const Message& m) { return message_bytes(m.kind, m.elems, dtype); });
  });
}

hpmp_status hpmp_plan_tasks(const hpmp_plan* plan, int32_t rank, int32_t* group, int32_t* shard,
                            int64_t* channels, int64_t* count) {
  return wall([&] {
    const std::vector<OwnedChannels>& tasks = program_of(plan, rank).tasks;
    const std::int64_t room = given(count, "count");
    *count = static_cast<std::int64_t>(tasks.size());
    if (!group && !shard && !channels) return;
    check_count(room, *count, "the array for tasks");
    fill(group, tasks, [](const OwnedChannels& t) { return t.group.index; });
    fill(shard, tasks, [](const OwnedChannels& t) { return t.shard; });
    fill(channels, tasks, [](const OwnedChannels& t) { return total_size(t.channels); });
  });
}

hpmp_status hpmp_plan_reads(const hpmp_graph* graph, const hpmp_plan* plan, int32_t rank,
                            int32_t* images, int32_t* labels) {
  return wall([&] {
    const RankProgram& program = program_of(plan, rank);
    if (given(graph, "graph").hash != plan_of(plan).graph_hash)
      fail(ErrorCode::invalid_plan, "the plan was made for another graph; plan this model again");
    const Graph& g = *graph->graph;
    const ShardReads reads = shard_reads(g, fuse_groups(g), plan_of(plan), program);
    fill(images, reads.images, [](bool read) { return read; });
    fill(labels, reads.labels, [](bool read) { return read; });
  });
}
}
