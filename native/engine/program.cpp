#include "engine/program.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "engine/cpu/dense.h"

namespace hpmp {
namespace {

/// Operands of a group in the order in which a backward stage adds their gradients.
std::vector<std::size_t> operands_in_run_order(const BoundTask& task, std::int32_t stage) {
  const std::vector<GroupInput>& inputs = task.kernels->group().inputs;
  const StageNodes nodes = backward_nodes(task.kernels->group(), task.kernels->norms(), stage);
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (nodes.has(inputs[k].node)) order.push_back(k);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return inputs[a].node > inputs[b].node; });
  return order;
}

}  // namespace

BoundProgram::BoundProgram(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                           const RankProgram& program, Arena& arena, ParamStore& store,
                           Backend& backend)
    : graph_(graph),
      grouped_(grouped),
      plan_(plan),
      program_(program),
      arena_(arena),
      store_(store),
      backend_(backend) {
  bind_tasks();
  bind_steps();
  find_grad_modes();
  find_first_sums();
  order_dense_columns();
  find_own_updates();
  bind_updates();
}

void BoundProgram::params_changed() {
  for (auto& [key, kernels] : kernels_) kernels->params_changed();
}

void BoundProgram::load_params(bool training) {
  for (auto& [key, kernels] : kernels_) kernels->load_params(training);
}

std::int64_t BoundProgram::scratch_bytes() const {
  std::int64_t most = 0;
  for (const auto& [key, task] : tasks_) {
    if (task.kernels != nullptr) most = std::max(most, task_scratch_bytes(graph_, backend_, task));
  }
  return most;
}

std::int64_t BoundProgram::kernel_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [key, kernels] : kernels_) bytes += kernels->resident_bytes();
  return bytes;
}

bool BoundProgram::was_written(GroupId g, std::int32_t shard) {
  return std::exchange(written_[{g, shard}], true);
}

/// Tasks of one group and the same channels share their kernels.
void BoundProgram::bind_tasks() {
  for (const OwnedChannels& owned : program_.tasks) {
    BoundTask& task = tasks_[{owned.group, owned.shard}];
    task.group = owned.group;
    task.shard = owned.shard;
    task.samples = plan_.grid.batch / plan_.grid.shards;
    const Group& group = grouped_.group(owned.group);
    if (graph_.node(group.nodes[0]).op == OpKind::input) continue;
    task.image = arena_.image(owned.group, owned.shard).plan->channels;
    task.operands =
        find_operands(graph_, grouped_, arena_, backend_, owned.group, owned.shard, owned.channels);
    std::vector<std::int64_t> blocks;
    for (const Operand& o : task.operands) blocks.push_back(o.block);
    auto& kernels = kernels_[{owned.group, owned.channels, blocks}];
    if (kernels == nullptr) {
      kernels = std::make_unique<TaskKernels>(graph_, grouped_, plan_.grid, owned.group,
                                              owned.channels, task.operands, store_, backend_);
    }
    task.kernels = kernels.get();
  }
}

void BoundProgram::bind_steps() {
  for (const Instr& instr : program_.instrs) {
    Step step;
    step.instr = &instr;
    step.label = instr_label(graph_, grouped_, plan_, instr);
    if (instr.kind == InstrKind::forward || instr.kind == InstrKind::backward ||
        instr.kind == InstrKind::redo)
      step.task = &tasks_.at({instr.group, instr.shard});
    steps_.push_back(std::move(step));
  }
}

/// Walks the program once: the first writer of an image gradient sets it, later ones add.
void BoundProgram::find_grad_modes() {
  for (Step& step : steps_) {
    const Instr& instr = *step.instr;
    // What is sent may have channels that no local reader gives a gradient: they are zero.
    if (instr.kind == InstrKind::recv || instr.kind == InstrKind::send) {
      const Message& m = plan_.messages[static_cast<std::size_t>(instr.message)];
      if (m.kind != MessageKind::gradient) continue;
      for (const Letter& l : m.letters) clear_if_first(step, l.group, l.shard);
    } else if (instr.kind == InstrKind::backward) {
      if (instr.stage == 0) clear_if_first(step, instr.group, instr.shard);
      for (std::size_t k : operands_in_run_order(*step.task, instr.stage))
        set_grad_mode(*step.task, k);
    }
  }
}

void BoundProgram::clear_if_first(Step& step, GroupId g, std::int32_t shard) {
  if (!was_written(g, shard)) step.clear_first.emplace_back(g, shard);
}

void BoundProgram::set_grad_mode(BoundTask& task, std::size_t k) {
  GradMode& mode = task.grads;
  mode.accumulate.resize(task.operands.size(), false);
  mode.zero.resize(task.operands.size());
  const Operand& operand = task.operands[k];
  for (const Stretch& s : operand.stretches) {
    if (arena_.image_grad(s.source, task.shard) == nullptr) continue;
    const bool before = was_written(s.source, task.shard);
    if (operand.whole && &s == &operand.stretches.front()) mode.accumulate[k] = before;
    if (!operand.whole && !before) mode.zero[k].push_back(s.source);
  }
}

/// The first shard that runs a stage clears the sums that it and those that share them add to.
void BoundProgram::find_first_sums() {
  std::set<std::tuple<InstrKind, GroupId, std::int32_t, std::int32_t>> begun;
  for (Step& step : steps_) {
    const Instr& instr = *step.instr;
    if (step.task == nullptr) continue;
    const std::int32_t shard = plan_.grid.first_sharing(instr.shard);
    step.clear_sums = begun.insert({instr.kind, instr.group, shard, instr.stage}).second;
  }
}

/// Weights of a dense op that reads feature maps are kept in the order of the maps' layout.
void BoundProgram::order_dense_columns() {
  for (auto& [key, task] : tasks_) {
    if (task.kernels == nullptr) continue;
    const Group& group = task.kernels->group();
    const Node& head = graph_.node(group.nodes[0]);
    if (head.op != OpKind::dense) continue;
    const Operand& operand = task.operands[0];
    if (operand.shape.h * operand.shape.w == 1) continue;
    const Shape shape{operand.channels, operand.shape.h, operand.shape.w};
    store_.find(head.params[0])->column_order = dense_column_order(shape, operand.block);
  }
}

/// A dense op whose weight's gradient comes from one backward instruction of this rank, and from
/// nowhere else, updates the weight while it is in cache.
void BoundProgram::find_own_updates() {
  std::map<GroupId, std::vector<BoundTask*>> backward;
  for (Step& step : steps_) {
    if (step.instr->kind == InstrKind::backward) backward[step.instr->group].push_back(step.task);
  }
  for (auto& [group, tasks] : backward) {
    if (tasks.size() == 1 && updates_alone(*tasks[0])) tasks[0]->kernels->update_in_backward();
  }
}

void BoundProgram::bind_updates() {
  std::map<GroupId, std::vector<UpdateRange>> at_home;
  const std::vector<GroupId> homes = param_homes(graph_, grouped_);
  for (std::size_t p = 0; p < homes.size(); ++p) {
    if (!homes[p].valid()) continue;
    for (const UpdateRange& r : store_.update_ranges(ParamId(static_cast<std::int64_t>(p))))
      at_home[homes[p]].push_back(r);
  }
  for (Step& step : steps_) {
    if (step.instr->kind == InstrKind::update)
      step.update = backend_.make_update(at_home[step.instr->group]);
  }
}

bool BoundProgram::updates_alone(const BoundTask& task) const {
  const Node& head = graph_.node(task.kernels->group().nodes[0]);
  if (head.op != OpKind::dense) return false;
  const ParamId weight = head.params[0];
  const HeldParam& held = *store_.find(weight);
  if (!held.trainable || held.rows.used != task.kernels->channels() ||
      held.rows.owned != held.rows.used)
    return false;
  std::int64_t users = 0;
  for (const Node& node : graph_.nodes)
    users += std::count(node.params.begin(), node.params.end(), weight);
  for (const Message& m : plan_.messages) {
    for (const Letter& l : m.letters) {
      for (const Piece& p : l.pieces) users += p.param == weight ? 1 : 0;
    }
  }
  return users == 1;
}

}  // namespace hpmp
