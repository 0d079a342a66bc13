#include "engine/run_task.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace hpmp {
namespace {

/// The group's own channels among those of its image, in both directions.
void copy_own(const BoundTask& task, const TensorRef& image, const TensorRef& own, bool to_image) {
  std::int64_t at = 0;
  for (Range r : task.kernels->channels()) {
    const std::int64_t in_image = packed_position(task.image, r.begin);
    if (to_image)
      copy_channels(image, in_image, own, at, r.size(), false);
    else
      copy_channels(own, at, image, in_image, r.size(), false);
    at += r.size();
  }
}

class TaskRun {
 public:
  TaskRun(const Graph& graph, BoundTask& task, TaskContext& context)
      : graph_(graph),
        task_(task),
        context_(context),
        kernels_(*task.kernels),
        group_(kernels_.group()),
        image_(context.arena.image(task.group, task.shard).ref),
        owns_image_(task.image == kernels_.channels()),
        own_(total_size(kernels_.channels())) {
    context.scratch.reset();
    ArenaTensor* saved = context.arena.find({TensorKind::saved, task.group, task.shard, -1});
    saved_ = saved == nullptr ? nullptr : saved->data;
  }

  void forward() {
    kernels_.load_params(context_.step.training);
    if (context_.step.training) kernels_.begin_param_sums(true);
    output_ = owns_image_ ? image_ : scratch_like(group_.shape);
    for (std::size_t i = 0; i < group_.nodes.size(); ++i) forward_node(i);
    if (!owns_image_) copy_own(task_, image_, output_, true);
    if (context_.step.training) kernels_.end_param_sums(true);
  }

  void backward() {
    kernels_.begin_param_sums(false);
    load_output();
    TensorRef grad = load_output_grad();
    for (std::size_t i = group_.nodes.size(); i-- > 0;) grad = backward_node(i, grad);
    kernels_.end_param_sums(false);
  }

 private:
  const Node& node(std::size_t i) const { return graph_.node(group_.nodes[i]); }

  TensorRef scratch_like(const Shape& s) {
    return context_.scratch.take_tensor(task_.samples, own_, s.h, s.w);
  }

  /// Where node i's result is.
  TensorRef result(std::size_t i) {
    const Shape& s = graph_.shape(node(i).output);
    const std::int64_t offset = kernels_.layout().buffer[i];
    if (offset == ChainLayout::kOutput) return output_;
    return {reinterpret_cast<float*>(saved_ + offset),
            task_.samples,
            own_,
            s.h,
            s.w,
            channel_block(own_)};
  }

  std::byte* saved(std::size_t i) const {
    return saved_ == nullptr ? nullptr : saved_ + kernels_.layout().saved[i];
  }

  std::byte* kernel_scratch(std::size_t i) {
    return context_.scratch.take(static_cast<std::int64_t>(kernels_.kernel(i)->scratch_bytes()));
  }

  void forward_node(std::size_t i) {
    if (kernels_.kernel(i) == nullptr) return;
    ForwardArgs args;
    if (i > 0) args.inputs.push_back(result(i - 1));
    for (std::size_t k = 0; k < group_.inputs.size(); ++k) {
      if (group_.inputs[k].node == i)
        args.inputs.push_back(
            read_operand(task_.operands[k], context_.arena, task_.shard, context_.scratch));
    }
    args.output = result(i);
    args.params = kernels_.params(i, context_.step.training);
    args.saved = saved(i);
    args.scratch = kernel_scratch(i);
    args.labels = context_.labels;
    args.step = context_.step;
    kernels_.kernel(i)->forward(args);
  }

  void load_output() {
    output_ = owns_image_ ? image_ : TensorRef{};
    if (owns_image_ || !backward_reads_output(graph_, group_)) return;
    output_ = scratch_like(group_.shape);
    copy_own(task_, image_, output_, false);
  }

  TensorRef load_output_grad() {
    ArenaTensor* grad = context_.arena.image_grad(task_.group, task_.shard);
    if (grad == nullptr) {  // a loss: its gradient is one by definition
      return {};
    }
    if (owns_image_) return grad->ref;
    const TensorRef own = scratch_like(group_.shape);
    copy_own(task_, grad->ref, own, false);
    return own;
  }

  /// Runs node i backward; returns the gradient of the chain operand.
  TensorRef backward_node(std::size_t i, const TensorRef& grad) {
    const OpInfo& op = op_info(node(i).op);
    BackwardArgs args;
    args.grad_output = grad;
    if (op.backward_reads_output) args.output = result(i);
    TensorRef chain;
    if (i > 0) {
      args.inputs.push_back(op.backward_reads_input ? result(i - 1) : TensorRef{});
      chain = op.in_place ? grad : scratch_like(graph_.shape(node(i - 1).output));
      args.grad_inputs.push_back(chain);
      args.accumulate.push_back(false);
    }
    std::vector<std::pair<std::size_t, TensorRef>> gathered;
    for (std::size_t k = 0; k < group_.inputs.size(); ++k) {
      if (group_.inputs[k].node == i) add_operand(k, op, args, gathered);
    }
    args.params = kernels_.params(i, true);
    args.param_grads = kernels_.param_grads(i);
    args.saved = saved(i);
    args.scratch = kernel_scratch(i);
    args.labels = context_.labels;
    args.step = context_.step;
    kernels_.kernel(i)->backward(args);
    for (const auto& [k, g] : gathered)
      scatter_grad(task_.operands[k], g, context_.arena, task_.shard);
    return chain;
  }

  void add_operand(std::size_t k, const OpInfo& op, BackwardArgs& args,
                   std::vector<std::pair<std::size_t, TensorRef>>& gathered) {
    const Operand& operand = task_.operands[k];
    args.inputs.push_back(op.backward_reads_input
                              ? read_operand(operand, context_.arena, task_.shard, context_.scratch)
                              : TensorRef{});
    args.accumulate.push_back(false);
    args.grad_inputs.push_back({});
    if (!operand.wants_grad) return;
    for (GroupId g : task_.grads.zero[k]) {
      ArenaTensor* t = context_.arena.image_grad(g, task_.shard);
      std::memset(t->data, 0, static_cast<std::size_t>(t->ref.elems()) * sizeof(float));
    }
    if (operand.whole) {
      args.grad_inputs.back() =
          context_.arena.image_grad(operand.stretches.front().source, task_.shard)->ref;
      args.accumulate.back() = task_.grads.accumulate[k];
    } else {
      args.grad_inputs.back() = context_.scratch.take_tensor(task_.samples, operand.channels,
                                                             operand.shape.h, operand.shape.w);
      gathered.emplace_back(k, args.grad_inputs.back());
    }
  }

  const Graph& graph_;
  BoundTask& task_;
  TaskContext& context_;
  TaskKernels& kernels_;
  const Group& group_;
  TensorRef image_, output_;
  bool owns_image_;
  std::int64_t own_;
  std::byte* saved_ = nullptr;
};

}  // namespace

void run_forward(const Graph& graph, BoundTask& task, TaskContext& context) {
  TaskRun(graph, task, context).forward();
}

void run_backward(const Graph& graph, BoundTask& task, TaskContext& context) {
  TaskRun(graph, task, context).backward();
}

std::int64_t task_scratch_bytes(const Graph& graph, const BoundTask& task) {
  const Group& group = task.kernels->group();
  const std::int64_t own = total_size(task.kernels->channels());
  const auto tensor = [&](const Shape& s) {
    return Scratch::rounded(task.samples * own * s.h * s.w * 4);
  };
  std::int64_t bytes = 0;
  if (task.image != task.kernels->channels()) bytes += 2 * tensor(group.shape);
  for (std::size_t i = 0; i < group.nodes.size(); ++i) {
    if (i > 0 && !op_info(graph.node(group.nodes[i]).op).in_place)
      bytes += tensor(graph.shape(graph.node(group.nodes[i - 1]).output));
    Kernel* kernel = task.kernels->kernel(i);
    if (kernel != nullptr)
      bytes += Scratch::rounded(static_cast<std::int64_t>(kernel->scratch_bytes()));
  }
  for (const Operand& o : task.operands) bytes += 2 * gather_bytes(o, task.samples);
  return bytes;
}

}  // namespace hpmp
