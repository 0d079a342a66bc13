#include "engine/run_task.h"

#include <algorithm>

#include "base/error.h"
#include "engine/shared_sums.h"

namespace hpmp {
namespace {

/// The group's own channels among those of its image, in both directions.
void copy_own(const BoundTask& task, Backend& backend, const TensorRef& image, const TensorRef& own,
              bool to_image) {
  std::int64_t at = 0;
  for (Range r : task.kernels->channels()) {
    const std::int64_t in_image = packed_position(task.image, r.begin);
    if (to_image)
      backend.copy_channels({image, in_image, own, at, r.size(), false});
    else
      backend.copy_channels({own, at, image, in_image, r.size(), false});
    at += r.size();
  }
}

class TaskRun {
 public:
  TaskRun(const Graph& graph, BoundTask& task, TaskContext& context)
      : graph_(graph),
        task_(task),
        context_(context),
        backend_(context.backend),
        kernels_(*task.kernels),
        group_(kernels_.group()),
        image_(context.arena.image(task.group, task.shard).ref),
        owns_image_(task.image == kernels_.channels()),
        own_(total_size(kernels_.channels())),
        in_scratch_(links().size()) {
    context.scratch.reset();
    ArenaTensor* saved = context.arena.find({TensorKind::saved, task.group, task.shard, -1});
    saved_ = saved == nullptr ? nullptr : saved->data;
  }

  void forward() {
    kernels_.load_params(context_.step.training);
    if (context_.step.training) kernels_.begin_param_sums(true);
    const bool last = context_.stage == stages();
    if (last) output_ = owns_image_ ? image_ : scratch_like(group_.shape);
    const StageNodes nodes = forward_nodes(group_, kernels_.norms(), context_.stage);
    for (std::size_t l = 0; l < links().size(); ++l) {
      if (nodes.has(links()[l].begin)) forward_link(l);
    }
    if (last && !owns_image_) copy_own(task_, backend_, image_, output_, true);
    if (!last && context_.step.training) sum_forward(nodes.end);
    if (context_.step.training) kernels_.end_param_sums(true);
  }

  void backward() {
    kernels_.begin_param_sums(false);
    const StageNodes nodes = backward_nodes(group_, kernels_.norms(), context_.stage);
    TensorRef grad;
    if (context_.stage == 0) {
      load_output();
      grad = load_output_grad();
    } else {
      grad = stage_grad(nodes.end - 1);
    }
    for (std::size_t l = links().size(); l-- > 0;) {
      if (nodes.has(links()[l].begin)) grad = backward_link(l, grad);
    }
    if (context_.stage < stages()) sum_backward(nodes.begin - 1, grad);
    kernels_.end_param_sums(false);
  }

 private:
  const Node& node(std::size_t i) const { return graph_.node(group_.nodes[i]); }
  const std::vector<Link>& links() const { return kernels_.layout().links; }
  /// The link that node i begins.
  std::size_t link_from(std::size_t i) const {
    std::size_t l = 0;
    while (links()[l].begin < i) ++l;
    return l;
  }
  std::int32_t stages() const { return static_cast<std::int32_t>(kernels_.norms().size()); }

  TensorRef scratch_like(const Shape& s) {
    return context_.scratch.take_tensor(task_.samples, own_, s.h, s.w, image_.dtype);
  }

  /// Where link l's result is.
  TensorRef result(std::size_t l) {
    const Shape& s = graph_.shape(node(links()[l].end - 1).output);
    const std::int64_t offset = kernels_.layout().buffer[l];
    if (offset == ChainLayout::kOutput) return output_;
    if (offset == ChainLayout::kScratch) {
      if (in_scratch_[l].data == nullptr) in_scratch_[l] = scratch_like(s);
      return in_scratch_[l];
    }
    return {saved_ + offset, task_.samples, own_, s.h, s.w, backend_.block(own_), image_.dtype};
  }

  std::byte* saved(std::size_t l) const {
    return saved_ == nullptr ? nullptr : saved_ + kernels_.layout().saved[l];
  }

  std::byte* kernel_scratch(std::size_t l) {
    return context_.scratch.take(static_cast<std::int64_t>(kernels_.kernel(l)->scratch_bytes()));
  }

  std::vector<TensorRef> inputs(std::size_t l) {
    std::vector<TensorRef> all;
    if (l > 0) all.push_back(result(l - 1));
    for (std::size_t k = 0; k < group_.inputs.size(); ++k) {
      if (links()[l].has(group_.inputs[k].node))
        all.push_back(read_operand(task_.operands[k], context_.arena, backend_, task_.shard,
                                   context_.scratch));
    }
    return all;
  }

  /// The sums that follow or, where the stage is the one before, precede this one.
  SumRow sum_row(bool backward, std::int32_t stage) {
    const std::int32_t first = kernels_.grid().first_sharing(task_.shard);
    return {context_.arena, backend_, task_.group, first, backward ? stages() + stage : stage};
  }

  ChannelSums* take_sums() {
    return reinterpret_cast<ChannelSums*>(context_.scratch.take(sums_bytes(own_)));
  }

  /// What link l, if it is the batch_norm that the stage begins with, normalises by.
  const ChannelSums* given_sums(std::size_t l, bool backward) {
    const std::vector<std::size_t>& norms = kernels_.norms();
    if (!context_.step.training || context_.stage == 0) return nullptr;
    const auto before = static_cast<std::size_t>(context_.stage - 1);
    if (links()[l].begin != norms[backward ? norms.size() - 1 - before : before]) return nullptr;
    ChannelSums* sums = take_sums();
    sum_row(backward, context_.stage - 1).read(kernels_.channels(), sums);
    return sums;
  }

  void add_sums(const ChannelSums* sums, bool backward) {
    SumRow row = sum_row(backward, context_.stage);
    if (context_.clear_sums) row.clear();
    row.add(kernels_.channels(), sums);
  }

  void sum_forward(std::size_t node) {
    const std::size_t norm = link_from(node);
    ForwardArgs args;
    args.inputs = inputs(norm);
    args.output = args.inputs[0];
    args.saved = saved(norm);
    args.scratch = kernel_scratch(norm);
    args.step = context_.step;
    args.own_sums = take_sums();
    kernels_.kernel(norm)->forward(args);
    add_sums(args.own_sums, false);
  }

  /// `grad`: of the batch_norm's output; left for the next stage.
  void sum_backward(std::size_t node, const TensorRef& grad) {
    const std::size_t norm = link_from(node);
    const TensorRef kept = stage_grad(node);
    if (grad.data != kept.data) backend_.copy_channels({kept, 0, grad, 0, own_, false});
    BackwardArgs args;
    args.inputs = inputs(norm);
    args.grad_output = kept;
    args.grad_inputs = {{}};
    args.accumulate = {false};
    args.params = kernels_.params(norm, true);
    args.param_grads = kernels_.param_grads(norm);
    args.saved = saved(norm);
    args.scratch = kernel_scratch(norm);
    args.step = context_.step;
    args.own_sums = take_sums();
    kernels_.kernel(norm)->backward(args);
    add_sums(args.own_sums, true);
  }

  /// The gradient of a batch_norm's output between two stages.
  TensorRef stage_grad(std::size_t norm) {
    const Shape& s = graph_.shape(node(norm).output);
    std::byte* data =
        context_.arena.get({TensorKind::stage_grad, task_.group, task_.shard, -1}).data;
    return {data, task_.samples, own_, s.h, s.w, backend_.block(own_), image_.dtype};
  }

  void forward_link(std::size_t l) {
    if (kernels_.kernel(l) == nullptr) return;
    ForwardArgs args;
    args.inputs = inputs(l);
    args.output = result(l);
    args.all_sums = given_sums(l, false);
    args.params = kernels_.params(l, context_.step.training);
    args.saved = saved(l);
    args.scratch = kernel_scratch(l);
    args.labels = context_.labels;
    args.step = context_.step;
    kernels_.kernel(l)->forward(args);
  }

  void load_output() {
    output_ = owns_image_ ? image_ : TensorRef{};
    if (owns_image_ || !links().back().backward_reads_output) return;
    output_ = scratch_like(group_.shape);
    copy_own(task_, backend_, image_, output_, false);
  }

  TensorRef load_output_grad() {
    ArenaTensor* grad = context_.arena.image_grad(task_.group, task_.shard);
    if (grad == nullptr) {  // a loss: its gradient is one by definition
      return {};
    }
    if (owns_image_) return grad->ref;
    const TensorRef own = scratch_like(group_.shape);
    copy_own(task_, backend_, grad->ref, own, false);
    return own;
  }

  /// Runs link l backward; returns the gradient of the chain operand.
  TensorRef backward_link(std::size_t l, const TensorRef& grad) {
    const Link& link = links()[l];
    BackwardArgs args;
    args.grad_output = grad;
    if (link.backward_reads_output) args.output = result(l);
    TensorRef chain;
    if (l > 0) {
      args.inputs.push_back(link.backward_reads_input ? result(l - 1) : TensorRef{});
      chain = chain_grad(l, grad);
      args.grad_inputs.push_back(chain);
      args.accumulate.push_back(false);
    }
    std::vector<std::pair<std::size_t, TensorRef>> gathered;
    for (std::size_t k = 0; k < group_.inputs.size(); ++k) {
      if (link.has(group_.inputs[k].node)) add_operand(k, args, gathered);
    }
    args.params = kernels_.params(l, true);
    args.param_grads = kernels_.param_grads(l);
    set_update(l, args);
    args.all_sums = given_sums(l, true);
    args.saved = saved(l);
    args.scratch = kernel_scratch(l);
    args.labels = context_.labels;
    args.step = context_.step;
    kernels_.kernel(l)->backward(args);
    for (const auto& [k, g] : gathered)
      scatter_grad(task_.operands[k], g, context_.arena, backend_, task_.shard);
    return chain;
  }

  void set_update(std::size_t l, BackwardArgs& args) const {
    const HeldParam* weight = kernels_.weight_to_update(l);
    if (weight == nullptr) return;
    args.update = context_.update;
    const auto states = weight->state_at(0);
    std::copy(states.begin(), states.end(), args.state);
  }

  /// Where link l puts the gradient of its chain operand.
  TensorRef chain_grad(std::size_t l, const TensorRef& grad) {
    const std::size_t begin = links()[l].begin;
    const StageNodes nodes = backward_nodes(group_, kernels_.norms(), context_.stage);
    if (begin == nodes.begin && context_.stage < stages()) return stage_grad(begin - 1);
    if (links()[l].gradient_in_place) return grad;
    return scratch_like(graph_.shape(node(begin - 1).output));
  }

  void add_operand(std::size_t k, BackwardArgs& args,
                   std::vector<std::pair<std::size_t, TensorRef>>& gathered) {
    const Operand& operand = task_.operands[k];
    args.inputs.push_back(
        backward_reads_input(graph_, group_, k)
            ? read_operand(operand, context_.arena, backend_, task_.shard, context_.scratch)
            : TensorRef{});
    args.accumulate.push_back(false);
    args.grad_inputs.push_back({});
    if (!operand.wants_grad) return;
    for (GroupId g : task_.grads.zero[k]) {
      ArenaTensor* t = context_.arena.image_grad(g, task_.shard);
      backend_.clear(t->data, t->ref.bytes());
    }
    if (operand.whole) {
      args.grad_inputs.back() =
          context_.arena.image_grad(operand.stretches.front().source, task_.shard)->ref;
      args.accumulate.back() = task_.grads.accumulate[k];
    } else {
      args.grad_inputs.back() = context_.scratch.take_tensor(
          task_.samples, operand.channels, operand.shape.h, operand.shape.w, operand.dtype);
      gathered.emplace_back(k, args.grad_inputs.back());
    }
  }

  const Graph& graph_;
  BoundTask& task_;
  TaskContext& context_;
  Backend& backend_;
  TaskKernels& kernels_;
  const Group& group_;
  TensorRef image_, output_;
  bool owns_image_;
  std::int64_t own_;
  std::vector<TensorRef> in_scratch_;  // by link: its result, where that is in scratch
  std::byte* saved_ = nullptr;
};

}  // namespace

void run_forward(const Graph& graph, BoundTask& task, TaskContext& context) {
  TaskRun(graph, task, context).forward();
}

void run_backward(const Graph& graph, BoundTask& task, TaskContext& context) {
  TaskRun(graph, task, context).backward();
}

}  // namespace hpmp
