// Lifetimes and offsets of a program's tensors.
#include <map>

#include "base/error.h"
#include "plan/arena.h"
#include "plan/chain.h"
#include "plan/emit.h"
#include "plan/touch.h"

namespace hpmp {
namespace {

/// Follows a program's instructions and notes every tensor that they touch.
class Lifetimes {
 public:
  Lifetimes(const Graph& graph, const GroupedGraph& grouped, const GridSpec& grid,
            const std::vector<Message>& messages, const RankProgram& program)
      : graph_(graph), grouped_(grouped), grid_(grid), messages_(messages), program_(program) {
    for (const OwnedChannels& t : program.tasks) own_[{t.group, t.shard}] = t.channels;
    for (const PlannedTensor& t : program.tensors) {
      if (t.kind == TensorKind::image) images_[{t.group, t.shard}] = t.channels;
    }
  }

  std::vector<PlannedTensor> run() {
    for (std::size_t i = 0; i < program_.instrs.size(); ++i) {
      const Instr& instr = program_.instrs[i];
      for (const TensorKey& key : touched(graph_, grouped_, grid_, messages_, instr))
        touch(key, static_cast<std::int32_t>(i), begins_again(instr, key));
    }
    return std::move(tensors_);
  }

 private:
  void touch(const TensorKey& key, std::int32_t i, bool again) {
    const auto found = index_.find(key);
    if (found != index_.end()) {
      PlannedTensor& t = tensors_[found->second];
      if (again) t.again_first = i;
      (t.lives_again() ? t.again_last : t.last) = i;
      return;
    }
    PlannedTensor t;
    t.kind = key.kind;
    t.group = key.group;
    t.shard = key.shard;
    t.message = key.message;
    t.first = t.last = i;
    size(t);
    if (t.bytes == 0) return;
    index_[key] = tensors_.size();
    tensors_.push_back(std::move(t));
  }

  void size(PlannedTensor& t) const {
    const std::int64_t samples = grid_.shard_samples();
    switch (t.kind) {
      case TensorKind::image:
      case TensorKind::image_grad: {
        const auto found = images_.find({t.group, t.shard});
        if (found == images_.end()) return;
        const Group& group = grouped_.group(t.group);
        const Shape& s = group.shape;
        t.channels = found->second;
        t.bytes = samples * total_size(t.channels) * s.h * s.w *
                  elem_bytes(image_type(graph_, group, grid_));
        return;
      }
      case TensorKind::saved:
        t.bytes = chain_layout(graph_, grouped_.group(t.group), grid_,
                               total_size(own_.at({t.group, t.shard})))
                      .bytes;
        return;
      case TensorKind::stage_grad:
        t.bytes = stage_grad_bytes(graph_, grouped_.group(t.group), grid_,
                                   total_size(own_.at({t.group, t.shard})));
        return;
      case TensorKind::statistics:
        t.channels = shared_channels(t.group, t.shard);
        t.bytes = statistics_bytes(graph_, grouped_.group(t.group), grid_, total_size(t.channels));
        return;
      case TensorKind::send_buffer:
      case TensorKind::recv_buffer: {
        const Message& m = messages_[static_cast<std::size_t>(t.message)];
        t.bytes = message_bytes(m.kind, m.elems, grid_.dtype);
        return;
      }
    }
  }

  /// What the rank computes of the group in any of the shards that share statistics.
  Ranges shared_channels(GroupId g, std::int32_t first) const {
    Ranges all;
    for (std::int32_t s = first; s < first + grid_.statistics_shards(); ++s) {
      const auto own = own_.find({g, s});
      if (own != own_.end()) all.insert(all.end(), own->second.begin(), own->second.end());
    }
    return normalized(std::move(all));
  }

  const Graph& graph_;
  const GroupedGraph& grouped_;
  const GridSpec& grid_;
  const std::vector<Message>& messages_;
  const RankProgram& program_;
  std::map<std::pair<GroupId, std::int32_t>, Ranges> own_, images_;
  std::map<TensorKey, std::size_t> index_;
  std::vector<PlannedTensor> tensors_;
};

void place(RankProgram& program) {
  std::vector<Lifetime> lifetimes;
  for (const PlannedTensor& t : program.tensors) lifetimes.push_back(lifetime_of(t));
  program.arena_bytes = assign_offsets(lifetimes);
  for (std::size_t i = 0; i < lifetimes.size(); ++i)
    program.tensors[i].offset = lifetimes[i].offset;
}

/// Weight and gradient of the rows used, the optimizer's states of the rows owned; two copies of
/// statistics.
std::int64_t param_bytes(const Param& p, const ParamRows& rows, const GridSpec& grid) {
  const std::int64_t used = total_size(rows.used) * p.row_elems() * 4;
  const std::int64_t owned = total_size(rows.owned) * p.row_elems() * 4;
  if (p.is_state()) return 2 * used;
  if (!p.trainable || !grid.training) return used;
  return 2 * used + optimizer_info(grid.optimizer).states * owned;
}

}  // namespace

std::vector<PlannedTensor> touched_tensors(const Graph& graph, const GroupedGraph& grouped,
                                           const GridSpec& grid,
                                           const std::vector<Message>& messages,
                                           const RankProgram& program) {
  return Lifetimes(graph, grouped, grid, messages, program).run();
}

std::int64_t params_bytes(const Graph& graph, const RankProgram& program, const GridSpec& grid) {
  std::int64_t bytes = 0;
  for (const ParamRows& rows : program.params)
    bytes += param_bytes(graph.param(rows.param), rows, grid);
  return bytes;
}

void plan_memory(const Graph& graph, const GroupedGraph& grouped, const GridSpec& grid,
                 const std::vector<Message>& messages, RankProgram& program) {
  program.tensors = touched_tensors(graph, grouped, grid, messages, program);
  place(program);
  program.param_bytes = params_bytes(graph, program, grid);
}

Plan for_optimizer(const Graph& graph, Plan plan, OptimizerKind kind) {
  plan.grid.optimizer = kind;
  for (RankProgram& program : plan.programs)
    program.param_bytes = params_bytes(graph, program, plan.grid);
  return plan;
}

}  // namespace hpmp
