// Tasks of groups that run in stages, and the exchanges of statistics between these.
#include "plan/tasks.h"

namespace hpmp {

void TaskBuilder::add_stages() {
  later_.assign(holders_.list.size(), -1);
  const std::size_t groups = model_.groups.size();
  const auto sharing = static_cast<std::size_t>(model_.h.grid.statistics_shards());
  const std::size_t exchanges = static_cast<std::size_t>(holders_.shards) / sharing;
  exchange_.assign(groups * exchanges * static_cast<std::size_t>(graph_.ranks), -1);
  for (std::size_t g = 0; g < groups; ++g) {
    const GroupId id(static_cast<std::int64_t>(g));
    if (model_.groups[g].norms() == 0) continue;
    for (std::int32_t s = 0; s < holders_.shards; ++s) add_stages_of(id, s);
  }
}

void TaskBuilder::add_stages_of(GroupId g, std::int32_t s) {
  for (std::int32_t i = holders_.begin[holders_.at(g, s)];
       i < holders_.begin[holders_.at(g, s) + 1]; ++i) {
    const Holder& holder = holders_.list[static_cast<std::size_t>(i)];
    later_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(graph_.tasks.size());
    add_later_stages(g, s, holder, TaskKind::forward);
    if (model_.groups[g.at()].backward) add_later_stages(g, s, holder, TaskKind::backward);
    add_exchanges(g, s, holder.rank);
  }
}

void TaskBuilder::add_later_stages(GroupId g, std::int32_t s, const Holder& holder, TaskKind kind) {
  const StepGroup& group = model_.groups[g.at()];
  for (std::int32_t x = 1; x <= group.norms(); ++x) {
    const PassSeconds& share = group.stages[static_cast<std::size_t>(x)];
    const double seconds = kind == TaskKind::forward
                               ? share.forward * (group.fixed.forward + holder.seconds.forward)
                               : share.backward * (group.fixed.backward + holder.seconds.backward);
    graph_.tasks.push_back(
        {kind, holder.rank, g, s,
         (model_.machine.task_overhead_seconds + seconds) / model_.machine.speed(holder.rank), x});
  }
}

std::size_t TaskBuilder::exchange_at(GroupId g, std::int32_t s, Rank r) const {
  const auto sharing = static_cast<std::int32_t>(model_.h.grid.statistics_shards());
  const auto exchanges = static_cast<std::size_t>(holders_.shards / sharing);
  return (g.at() * exchanges + static_cast<std::size_t>(s / sharing)) *
             static_cast<std::size_t>(graph_.ranks) +
         static_cast<std::size_t>(r);
}

/// Two sums for every exchange, forward and backward.
void TaskBuilder::add_exchanges(GroupId g, std::int32_t s, Rank r) {
  std::int32_t& first = exchange_[exchange_at(g, s, r)];
  if (first >= 0) return;
  first = static_cast<std::int32_t>(graph_.tasks.size());
  const StepGroup& group = model_.groups[g.at()];
  const std::int32_t sums = group.norms() * (group.backward ? 4 : 2);
  for (std::int32_t i = 0; i < sums; ++i)
    graph_.tasks.push_back({TaskKind::summed, r, g, model_.h.grid.first_sharing(s), 0});
}

std::int32_t TaskBuilder::sum(GroupId g, std::int32_t s, Rank r, bool backward, std::int32_t stage,
                              Sum which) const {
  const std::int32_t norms = model_.groups[g.at()].norms();
  return exchange_[exchange_at(g, s, r)] + 2 * ((backward ? norms : 0) + stage) + which;
}

std::int32_t TaskBuilder::stage_task(GroupId g, std::int32_t holder, bool backward,
                                     std::int32_t stage) const {
  const auto i = static_cast<std::size_t>(holder);
  if (stage == 0) return backward ? backward_[i] : holder;
  if (backward && !model_.groups[g.at()].backward) return -1;
  return later_[i] + (backward ? model_.groups[g.at()].norms() : 0) + stage - 1;
}

void TaskBuilder::link_stages() {
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    const GroupId id(static_cast<std::int64_t>(g));
    for (std::int32_t s = 0; s < holders_.shards && model_.groups[g].norms() > 0; ++s) {
      for (std::int32_t i = holders_.begin[holders_.at(id, s)];
           i < holders_.begin[holders_.at(id, s) + 1]; ++i) {
        link_stages_of(id, s, i, false);
        if (model_.groups[g].backward) link_stages_of(id, s, i, true);
      }
    }
  }
}

///   stage x of every shard here -> own sum -> all -> stage x + 1 of every shard here
void TaskBuilder::link_stages_of(GroupId g, std::int32_t s, std::int32_t holder, bool backward) {
  const Rank r = holders_.list[static_cast<std::size_t>(holder)].rank;
  for (std::int32_t x = 0; x < model_.groups[g.at()].norms(); ++x) {
    const std::int32_t own = sum(g, s, r, backward, x, kOwn);
    const std::int32_t all = sum(g, s, r, backward, x, kAll);
    link(stage_task(g, holder, backward, x), own);
    link(all, stage_task(g, holder, backward, x + 1));
    link(own, all);
  }
}

///   own sum -> part -> the owner's all -> sum -> next stage of every shard on the other rank
void TaskBuilder::link_statistics(std::int32_t id, const Flow& flow) {
  const bool backward = is_backward(flow.kind);
  if (is_partial(flow.kind)) {
    link(sum(flow.group, flow.shard, flow.from, backward, flow.stage, kOwn), id);
    link(id, sum(flow.group, flow.shard, flow.to, backward, flow.stage, kAll));
    return;
  }
  link(sum(flow.group, flow.shard, flow.from, backward, flow.stage, kAll), id);
  const auto sharing = static_cast<std::int32_t>(model_.h.grid.statistics_shards());
  for (std::int32_t s = flow.shard; s < flow.shard + sharing; ++s) {
    const std::int32_t holder = holders_.find(flow.group, s, flow.to);
    if (holder >= 0) link(id, stage_task(flow.group, holder, backward, flow.stage + 1));
  }
}

}  // namespace hpmp
