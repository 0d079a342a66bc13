#include "engine/engine.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"
#include "comm/wait.h"
#include "engine/cpu/dense.h"
#include "engine/mailbox.h"
#include "engine/run_task.h"
#include "engine/statistics.h"

namespace hpmp {
namespace {

using Clock = std::chrono::steady_clock;

/// What an instruction needs at run time, looked up once.
struct Step {
  const Instr* instr = nullptr;
  std::string label;
  BoundTask* task = nullptr;    // forward, backward
  bool clear_first = false;     // backward: own image gradient; recv: image gradient
  std::vector<ParamId> params;  // update
};

class CpuEngine final : public Engine {
 public:
  CpuEngine(const Graph& graph, const Plan& plan, Communicator& comm, const EngineOptions& options)
      : graph_(graph),
        plan_(plan),
        comm_(comm),
        options_(options),
        grouped_(fuse_groups(graph_)),
        program_(plan_.programs.at(static_cast<std::size_t>(comm.rank()))),
        arena_(graph_, grouped_, plan_, comm.rank()),
        store_(graph_, program_, plan_.grid.training),
        mailbox_(plan_, comm, arena_, store_, options.comm_timeout_seconds) {
    wait_.timeout_seconds = options.comm_timeout_seconds;
    bind_tasks();
    bind_steps();
    find_grad_modes();
    order_dense_columns();
    for (auto& [key, task] : tasks_) {
      if (task.kernels != nullptr) scratch_.reserve(task_scratch_bytes(graph_, task));
    }
  }

  void set_param(ParamId p, const float* data) override {
    store_.set(p, data);
    for (auto& [key, kernels] : kernels_) kernels->params_changed();
  }
  void get_param(ParamId p, float* data) override { get(p, ParamStore::What::weight, data); }
  void get_param_grad(ParamId p, float* data) override { get(p, ParamStore::What::grad, data); }
  void get_momentum(ParamId p, float* data) override { get(p, ParamStore::What::momentum, data); }
  void set_momentum(ParamId p, const float* data) override { store_.set_momentum(p, data); }

  StepResult train_step(const float* images, const std::int64_t* labels, const Sgd& sgd) override {
    if (!plan_.grid.training)
      fail(ErrorCode::invalid_argument,
           "this plan is for inference; plan with training on to train");
    store_.begin_step();
    sgd_ = &sgd;
    statistics_shared_ = false;
    const StepResult result = run(images, labels, {}, true);
    ++step_;
    for (auto& [key, kernels] : kernels_) kernels->params_changed();
    return result;
  }

  StepResult forward(const float* images, const std::int64_t* labels,
                     const std::vector<float*>& outputs) override {
    if (!statistics_shared_) {
      omp_use();
      share_statistics(graph_, plan_, comm_, store_, control_tag(1), wait_);
      statistics_shared_ = true;
      for (auto& [key, kernels] : kernels_) kernels->params_changed();
    }
    return run(images, labels, outputs, false);
  }

  std::vector<std::int64_t> sent_by_net() const override { return mailbox_.sent_by_net(); }
  std::vector<std::int64_t> sent_by_peer() const override { return mailbox_.sent_by_peer(); }
  void reset_counters() override { mailbox_.reset_counters(); }
  std::int64_t memory_bytes() const override {
    std::int64_t bytes = arena_.bytes() + scratch_.bytes() + store_.bytes();
    for (const auto& [key, kernels] : kernels_) bytes += kernels->resident_bytes();
    return bytes;
  }
  const std::vector<TraceEvent>& trace() const override { return trace_; }

 private:
  Tag control_tag(int k) const { return static_cast<Tag>(plan_.messages.size()) + k; }

  void omp_use() const {
    if (options_.threads > 0) omp_set_num_threads(options_.threads);
  }

  void get(ParamId p, ParamStore::What what, float* data) {
    std::fill_n(data, graph_.param(p).elems(), 0.0F);
    store_.get(p, what, data);
  }

  /// Tasks of one group and the same channels share their kernels.
  void bind_tasks() {
    for (const OwnedChannels& owned : program_.tasks) {
      BoundTask& task = tasks_[{owned.group, owned.shard}];
      task.group = owned.group;
      task.shard = owned.shard;
      task.samples = plan_.grid.batch / plan_.grid.shards;
      const Group& group = grouped_.group(owned.group);
      if (graph_.node(group.nodes[0]).op == OpKind::input) continue;
      task.image = arena_.image(owned.group, owned.shard).plan->channels;
      task.operands =
          find_operands(graph_, grouped_, arena_, owned.group, owned.shard, owned.channels);
      auto& kernels = kernels_[{owned.group, owned.channels}];
      if (kernels == nullptr) {
        kernels = std::make_unique<TaskKernels>(graph_, grouped_, plan_.grid, owned.group,
                                                owned.channels, task.operands, store_);
      }
      task.kernels = kernels.get();
    }
  }

  void bind_steps() {
    std::map<GroupId, std::vector<ParamId>> at_home;
    std::vector<bool> seen(graph_.params.size(), false);
    for (std::size_t g = 0; g < grouped_.groups.size(); ++g) {
      for (NodeId n : grouped_.groups[g].nodes) {
        for (ParamId p : graph_.node(n).params) {
          if (!seen[p.at()]) at_home[GroupId(static_cast<std::int64_t>(g))].push_back(p);
          seen[p.at()] = true;
        }
      }
    }
    for (const Instr& instr : program_.instrs) {
      Step step;
      step.instr = &instr;
      step.label = instr_label(graph_, grouped_, plan_, instr);
      if (instr.kind == InstrKind::forward || instr.kind == InstrKind::backward)
        step.task = &tasks_.at({instr.group, instr.shard});
      if (instr.kind == InstrKind::update) step.params = at_home[instr.group];
      steps_.push_back(std::move(step));
    }
  }

  /// Walks the program once: the first writer of an image gradient sets it, later ones add.
  void find_grad_modes() {
    std::map<std::pair<GroupId, std::int32_t>, bool> written;
    for (Step& step : steps_) {
      const Instr& instr = *step.instr;
      const bool gradient = instr.message >= 0 && message(instr).kind == MessageKind::gradient;
      if (instr.kind == InstrKind::recv && gradient) {
        step.clear_first = !std::exchange(written[{instr.group, instr.shard}], true);
      } else if (instr.kind == InstrKind::send && gradient) {
        // Channels that no local reader gives a gradient are zero.
        step.clear_first = !std::exchange(written[{instr.group, instr.shard}], true);
      } else if (instr.kind == InstrKind::backward) {
        step.clear_first = !std::exchange(written[{instr.group, instr.shard}], true);
        for (std::size_t k : operands_in_run_order(*step.task)) set_mode(*step.task, k, written);
      }
    }
  }

  static std::vector<std::size_t> operands_in_run_order(const BoundTask& task) {
    const std::vector<GroupInput>& inputs = task.kernels->group().inputs;
    std::vector<std::size_t> order(inputs.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return inputs[a].node > inputs[b].node; });
    return order;
  }

  void set_mode(BoundTask& task, std::size_t k,
                std::map<std::pair<GroupId, std::int32_t>, bool>& written) {
    GradMode& mode = task.grads;
    mode.accumulate.resize(task.operands.size(), false);
    mode.zero.resize(task.operands.size());
    const Operand& operand = task.operands[k];
    for (const Stretch& s : operand.stretches) {
      if (arena_.image_grad(s.source, task.shard) == nullptr) continue;
      const bool before = std::exchange(written[{s.source, task.shard}], true);
      if (operand.whole && &s == &operand.stretches.front()) mode.accumulate[k] = before;
      if (!operand.whole && !before) mode.zero[k].push_back(s.source);
    }
  }

  /// Weights of a dense op that reads feature maps are kept in the order of the maps' layout.
  void order_dense_columns() {
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

  const Message& message(const Instr& instr) const {
    return plan_.messages[static_cast<std::size_t>(instr.message)];
  }

  StepResult run(const float* images, const std::int64_t* labels,
                 const std::vector<float*>& outputs, bool training) {
    omp_use();
    images_ = images;
    labels_ = labels;
    outputs_ = &outputs;
    shard_sums_.assign(static_cast<std::size_t>(2 * plan_.grid.shards), 0);
    trace_.clear();
    const Clock::time_point begin = Clock::now();
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (!training && !runs_in_inference(*steps_[i].instr)) continue;
      if (options_.status != nullptr)
        std::snprintf(options_.status, 256, "%s", steps_[i].label.c_str());
      const double started =
          options_.trace ? std::chrono::duration<double>(Clock::now() - begin).count() : 0;
      execute(steps_[i], training);
      if (options_.trace) {
        trace_.push_back({static_cast<std::int32_t>(i), started,
                          std::chrono::duration<double>(Clock::now() - begin).count()});
      }
    }
    return sum_over_ranks();
  }

  bool runs_in_inference(const Instr& instr) const {
    if (instr.message >= 0) return message(instr).kind == MessageKind::activation;
    return instr.kind == InstrKind::load || instr.kind == InstrKind::forward;
  }

  void execute(Step& step, bool training) {
    const Instr& instr = *step.instr;
    const char* label = step.label.c_str();
    switch (instr.kind) {
      case InstrKind::load:
        load(instr);
        break;
      case InstrKind::forward:
        forward_task(step, training);
        break;
      case InstrKind::backward:
        backward_task(step);
        break;
      case InstrKind::send:
        if (step.clear_first) clear_image_grad(instr);
        mailbox_.send(message(instr));
        break;
      case InstrKind::post:
        mailbox_.post(message(instr));
        break;
      case InstrKind::recv:
      case InstrKind::reduce:
        mailbox_.receive(message(instr), step.clear_first, label);
        break;
      case InstrKind::wait:
        mailbox_.wait_sent(message(instr), label);
        break;
      case InstrKind::update:
        for (ParamId p : step.params) store_.update(p, *sgd_);
        break;
    }
    mailbox_.progress();
  }

  TaskContext context(const BoundTask& task, bool training) {
    const std::int64_t first = task.shard * task.samples;
    StepInfo info;
    info.training = training;
    info.seed = options_.seed;
    info.step = step_;
    info.first_sample = first;
    info.global_batch = plan_.grid.batch;
    info.statistics_weight =
        static_cast<double>(plan_.grid.bn_group) / static_cast<double>(plan_.grid.batch);
    return {arena_, scratch_, info, labels_ == nullptr ? nullptr : labels_ + first};
  }

  void load(const Instr& instr) {
    const ArenaTensor& image = arena_.image(instr.group, instr.shard);
    const Shape& shape = grouped_.group(instr.group).shape;
    const std::int64_t first = instr.shard * image.ref.n;
    // The caller's images are NCHW: a tensor of block 1.
    const TensorRef batch{const_cast<float*>(images_) + first * shape.elems(),
                          image.ref.n,
                          shape.c,
                          shape.h,
                          shape.w,
                          1};
    std::int64_t at = 0;
    for (Range c : image.plan->channels) {
      copy_channels(image.ref, at, batch, c.begin, c.size(), false);
      at += c.size();
    }
  }

  void forward_task(Step& step, bool training) {
    BoundTask& task = *step.task;
    const OpKind op = graph_.node(task.kernels->group().nodes[0]).op;
    if (op == OpKind::loss || op == OpKind::output) deliver(task, op);
    if (op == OpKind::output || (op == OpKind::loss && labels_ == nullptr)) return;
    TaskContext c = context(task, training);
    run_forward(graph_, task, c);
    if (op == OpKind::loss) add_loss(task);
  }

  /// The operand of a loss or output op is what the caller asked for.
  void deliver(BoundTask& task, OpKind op) {
    const ValueId v = task.kernels->group().output;
    const auto found = std::find(graph_.outputs.begin(), graph_.outputs.end(), v);
    const auto i = static_cast<std::size_t>(found - graph_.outputs.begin());
    if (found == graph_.outputs.end() || i >= outputs_->size() || (*outputs_)[i] == nullptr) return;
    ensure(op == OpKind::loss || op == OpKind::output, "only sinks deliver");
    scratch_.reset();
    const TensorRef from = read_operand(task.operands[0], arena_, task.shard, scratch_);
    const std::int64_t elems = from.c * from.pixels();
    const TensorRef to{
        (*outputs_)[i] + task.shard * task.samples * elems, from.n, from.c, from.h, from.w, 1};
    copy_channels(to, 0, from, 0, from.c, false);
  }

  void add_loss(const BoundTask& task) {
    const TensorRef& out = arena_.image(task.group, task.shard).ref;
    double loss = 0, correct = 0;
    for (std::int64_t i = 0; i < out.n; ++i) {
      loss += static_cast<double>(out.data[out.at(i, 0, 0)]);
      correct += static_cast<double>(out.data[out.at(i, 1, 0)]);
    }
    shard_sums_[static_cast<std::size_t>(2 * task.shard)] = loss;
    shard_sums_[static_cast<std::size_t>(2 * task.shard + 1)] = correct;
  }

  void clear_image_grad(const Instr& instr) {
    ArenaTensor* grad = arena_.image_grad(instr.group, instr.shard);
    if (grad != nullptr)
      std::memset(grad->data, 0, static_cast<std::size_t>(grad->ref.elems()) * sizeof(float));
  }

  void backward_task(Step& step) {
    if (step.clear_first) clear_image_grad(*step.instr);
    TaskContext c = context(*step.task, true);
    run_backward(graph_, *step.task, c);
  }

  /// Sums in shard order, so that the result does not depend on where shards ran.
  StepResult sum_over_ranks() {
    const auto count = static_cast<int>(shard_sums_.size());
    std::vector<double> all(shard_sums_.size() * static_cast<std::size_t>(comm_.size()));
    gather_doubles(comm_, shard_sums_.data(), count, all.data(), control_tag(0), wait_);
    StepResult result;
    double correct = 0;
    for (std::size_t s = 0; s < shard_sums_.size(); s += 2) {
      for (std::size_t r = 0; r < all.size(); r += shard_sums_.size()) {
        result.loss += all[r + s];
        correct += all[r + s + 1];
      }
    }
    result.loss /= static_cast<double>(plan_.grid.batch);
    result.correct = static_cast<std::int64_t>(correct);
    return result;
  }

  const Graph graph_;
  const Plan plan_;
  Communicator& comm_;
  EngineOptions options_;
  GroupedGraph grouped_;
  const RankProgram& program_;
  Arena arena_;
  ParamStore store_;
  Mailbox mailbox_;
  Scratch scratch_;
  WaitOptions wait_;
  std::map<std::pair<GroupId, std::int32_t>, BoundTask> tasks_;
  std::map<std::pair<GroupId, Ranges>, std::unique_ptr<TaskKernels>> kernels_;
  std::vector<Step> steps_;
  std::uint64_t step_ = 0;
  bool statistics_shared_ = false;
  const Sgd* sgd_ = nullptr;
  const float* images_ = nullptr;
  const std::int64_t* labels_ = nullptr;
  const std::vector<float*>* outputs_ = nullptr;
  std::vector<double> shard_sums_;
  std::vector<TraceEvent> trace_;
};

}  // namespace

std::unique_ptr<Engine> Engine::create(const Graph& graph, const Plan& plan, Communicator& comm,
                                       const EngineOptions& options) {
  if (graph_hash(graph) != plan.graph_hash) {
    fail(ErrorCode::invalid_plan, "the plan was made for graph " + plan.graph_hash + ", not for " +
                                      graph_hash(graph) + "; plan again");
  }
  if (comm.size() != plan.ranks) {
    fail(ErrorCode::invalid_argument, "the plan has " + std::to_string(plan.ranks) +
                                          " ranks, the communicator " +
                                          std::to_string(comm.size()));
  }
  return std::make_unique<CpuEngine>(graph, plan, comm, options);
}

}  // namespace hpmp
