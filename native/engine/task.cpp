#include "engine/task.h"

#include <algorithm>

#include "base/error.h"
#include "engine/cpu/dense.h"
#include "plan/ownership.h"

namespace hpmp {
namespace {

/// Calls f(pointer into the rank's packed rows, pointer into the task's packed copy, floats).
template <class F>
void for_shared_rows(const TaskParam& param, F f) {
  std::int64_t at = 0;
  for (Range r : param.rows) {
    const std::int64_t floats = r.size() * param.held->row_elems;
    f(param.held->row(r.begin) * param.held->row_elems, at, floats);
    at += floats;
  }
}

}  // namespace

TaskKernels::TaskKernels(const Graph& graph, const GroupedGraph& grouped, const GridSpec& grid,
                         GroupId g, Ranges channels, const std::vector<Operand>& operands,
                         ParamStore& store, Backend& backend)
    : graph_(graph),
      backend_(backend),
      group_(&grouped.group(g)),
      grid_(grid),
      channels_(std::move(channels)) {
  layout_ = chain_layout(graph, *group_, grid, total_size(channels_));
  norms_ = synced_norms(graph, *group_, grid);
  for (const Link& link : layout_.links) {
    find_params(link, store);
    prepare_link(link, operands);
  }
}

void TaskKernels::find_params(const Link& link, ParamStore& store) {
  std::vector<TaskParam>& params = params_.emplace_back();
  for (std::size_t i = link.begin; i < link.end; ++i) {
    const Node& node = graph_.node(group_->nodes[i]);
    for (std::size_t j = 0; j < node.params.size(); ++j) {
      TaskParam param;
      param.held = store.find(node.params[j]);
      ensure(param.held != nullptr, "a rank holds the parameters of its tasks");
      param.rows = rows_read(node, j);
      param.direct = param.held->rows.used == param.rows;
      if (!param.direct) {
        const std::int64_t floats = total_size(param.rows) * param.held->row_elems;
        param.weight = FloatArray(backend_, floats);
        if (!param.held->grad.empty()) param.grad = FloatArray(backend_, floats);
      }
      params.push_back(std::move(param));
    }
  }
}

Ranges TaskKernels::rows_read(const Node& node, std::size_t j) const {
  Ranges rows;
  for (Range c : channels_) rows.push_back(params_rows(graph_, node, {{}, c, {}}, j));
  return normalized(std::move(rows));
}

void TaskKernels::prepare_link(const Link& link, const std::vector<Operand>& operands) {
  kernels_.emplace_back();
  const Node& first = graph_.node(group_->nodes[link.begin]);
  if (first.op == OpKind::output) return;
  KernelSpec spec;
  spec.graph = &graph_;
  spec.node = group_->nodes[link.begin];
  for (std::size_t i = link.begin + 1; i < link.end; ++i) spec.fused.push_back(group_->nodes[i]);
  spec.samples = grid_.batch / grid_.shards;
  spec.channels = channels_;
  spec.bn_group = grid_.bn_group;
  const Shape& out = graph_.shape(graph_.node(group_->nodes[link.end - 1]).output);
  spec.output_shape = {total_size(channels_), out.h, out.w};
  spec.training = grid_.training;
  spec.dtype = grid_.dtype;
  spec.input_gradient = link.begin > 0;
  for (std::size_t i = link.begin; i < link.end; ++i)
    add_operands(i, i == link.begin && i > 0, operands, spec);
  kernels_.back() = backend_.prepare(spec);
}

/// Those of node i that its link gets from outside, that of the chain first.
void TaskKernels::add_operands(std::size_t i, bool from_chain, const std::vector<Operand>& operands,
                               KernelSpec& spec) const {
  const Node& node = graph_.node(group_->nodes[i]);
  if (from_chain) {
    const std::int64_t own = total_size(channels_);
    const Shape& in = graph_.shape(node.inputs[group_->chain_operand[i]]);
    spec.input_channels.push_back(channels_);
    spec.input_shapes.push_back({own, in.h, in.w});
    spec.input_blocks.push_back(backend_.block(own));
  }
  for (std::size_t x = 0; x < group_->inputs.size(); ++x) {
    if (group_->inputs[x].node != i) continue;
    spec.input_channels.push_back(needed_channels(graph_, *group_, channels_, x));
    spec.input_shapes.push_back({operands[x].channels, operands[x].shape.h, operands[x].shape.w});
    spec.input_blocks.push_back(operands[x].block);
    spec.input_gradient = spec.input_gradient || operands[x].wants_grad;
  }
}

void TaskKernels::pack_weights() {
  for (auto& link : params_) {
    for (TaskParam& p : link) {
      if (p.direct) continue;
      for_shared_rows(p, [&](std::int64_t from, std::int64_t to, std::int64_t n) {
        backend_.copy(p.weight.data() + to, p.held->weight.data() + from,
                      n * static_cast<std::int64_t>(sizeof(float)));
      });
    }
  }
}

void TaskKernels::load_params(bool training) {
  if (!dirty_ && loaded_for_training_ == training) return;
  pack_weights();
  for (std::size_t i = 0; i < kernels_.size(); ++i) {
    if (kernels_[i] != nullptr) kernels_[i]->load_params(params(i, training));
  }
  dirty_ = false;
  loaded_for_training_ = training;
}

std::vector<float*> TaskKernels::params(std::size_t l, bool training) {
  std::vector<float*> pointers;
  for (TaskParam& p : params_[l]) {
    const bool part = p.held->state && training;
    const FloatArray& whole = part ? p.held->grad : p.held->weight;
    const FloatArray& packed = part ? p.grad : p.weight;
    pointers.push_back(p.direct ? whole.data() : packed.data());
  }
  return pointers;
}

std::vector<float*> TaskKernels::param_grads(std::size_t l) {
  std::vector<float*> pointers;
  for (TaskParam& p : params_[l]) {
    const bool wanted = p.held->trainable;
    pointers.push_back(!wanted ? nullptr : p.direct ? p.held->grad.data() : p.grad.data());
  }
  return pointers;
}

void TaskKernels::update_in_backward() {
  updates_weight_ = true;
  params_[0][0].held->set_by_task = true;
}

const HeldParam* TaskKernels::weight_to_update(std::size_t l) const {
  return updates_weight_ && l == 0 ? params_[0][0].held : nullptr;
}

void TaskKernels::begin_param_sums(bool states) {
  for (auto& link : params_) {
    for (TaskParam& p : link) {
      if (!p.direct && p.held->state == states) backend_.clear(p.grad.data(), p.grad.bytes());
    }
  }
}

void TaskKernels::end_param_sums(bool states) {
  for (auto& link : params_) {
    for (TaskParam& p : link) {
      if (p.direct || p.grad.empty() || p.held->state != states) continue;
      for_shared_rows(p, [&](std::int64_t to, std::int64_t from, std::int64_t n) {
        backend_.add(p.held->grad.data() + to, p.grad.data() + from, n);
      });
    }
  }
}

std::int64_t TaskKernels::kernel_scratch_bytes() const {
  std::size_t most = 0;
  for (const auto& k : kernels_) most = std::max(most, k == nullptr ? 0 : k->scratch_bytes());
  return static_cast<std::int64_t>(most);
}

std::int64_t TaskKernels::resident_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& k : kernels_)
    bytes += k == nullptr ? 0 : static_cast<std::int64_t>(k->resident_bytes());
  for (const auto& link : params_) {
    for (const TaskParam& p : link) bytes += p.weight.bytes() + p.grad.bytes();
  }
  return bytes;
}

}  // namespace hpmp
