#include "plan/reads.h"

namespace hpmp {
namespace {

bool is_loss(const Graph& graph, ValueId v) {
  return graph.node(graph.value(v).producer).op == OpKind::loss;
}

/// Invalid in a graph without losses.
GroupId first_loss(const Graph& graph, const GroupedGraph& grouped) {
  for (ValueId v : graph.outputs) {
    if (is_loss(graph, v)) return grouped.group_of_value[v.at()];
  }
  return {};
}

}  // namespace

ShardReads shard_reads(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                       const RankProgram& program) {
  const std::vector<bool> none(static_cast<std::size_t>(plan.grid.shards), false);
  ShardReads reads{none, none, none};
  for (const Instr& instr : program.instrs) {
    if (instr.kind == InstrKind::load) reads.images[static_cast<std::size_t>(instr.shard)] = true;
  }
  const GroupId first = first_loss(graph, grouped);
  for (const OwnedChannels& task : program.tasks) {
    if (!is_loss(graph, grouped.group(task.group).output)) continue;
    const auto shard = static_cast<std::size_t>(task.shard);
    reads.labels[shard] = true;
    if (task.group == first) reads.counted[shard] = true;
  }
  return reads;
}

}  // namespace hpmp
