#include "engine/engine.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"
#include "comm/wait.h"
#include "engine/cpu/isa.h"
#include "engine/loss_tally.h"
#include "engine/mailbox.h"
#include "engine/program.h"
#include "engine/statistics.h"

namespace hpmp {
namespace {

using Clock = std::chrono::steady_clock;

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
        bound_(graph_, grouped_, plan_, program_, arena_, store_),
        statistics_(graph_, grouped_, plan_, arena_),
        mailbox_(plan_, comm, arena_, store_, statistics_, options.comm_timeout_seconds),
        tally_(graph_, plan_.grid) {
    wait_.timeout_seconds = options.comm_timeout_seconds;
    scratch_.reserve(bound_.scratch_bytes());
  }

  void set_param(ParamId p, const float* data) override {
    store_.set(p, data);
    bound_.params_changed();
  }
  void get_param(ParamId p, float* data) override { get(p, ParamStore::What::weight, data); }
  void get_param_grad(ParamId p, float* data) override { get(p, ParamStore::What::grad, data); }
  void get_momentum(ParamId p, float* data) override { get(p, ParamStore::What::momentum, data); }
  void set_momentum(ParamId p, const float* data) override { store_.set_momentum(p, data); }
  void set_step(std::uint64_t step) override { step_ = step; }

  StepResult train_step(const float* images, const std::int64_t* labels, const Sgd& sgd) override {
    if (!plan_.grid.training)
      fail(ErrorCode::invalid_argument,
           "this plan is for inference; plan with training on to train");
    store_.begin_step();
    sgd_ = &sgd;
    statistics_shared_ = false;
    const StepResult result = run(images, labels, {}, true);
    ++step_;
    bound_.params_changed();
    return result;
  }

  StepResult forward(const float* images, const std::int64_t* labels,
                     const std::vector<float*>& outputs) override {
    if (!statistics_shared_) {
      omp_use();
      share_statistics(graph_, plan_, comm_, store_, control_tag(1), wait_);
      statistics_shared_ = true;
      bound_.params_changed();
    }
    return run(images, labels, outputs, false);
  }

  std::vector<std::int64_t> sent_by_net() const override { return mailbox_.sent_by_net(); }
  std::vector<std::int64_t> sent_by_peer() const override { return mailbox_.sent_by_peer(); }
  std::int64_t sent_bytes() const override { return mailbox_.sent_bytes(); }
  void reset_counters() override { mailbox_.reset_counters(); }
  std::int64_t memory_bytes() const override {
    return arena_.bytes() + scratch_.bytes() + store_.bytes() + bound_.kernel_bytes();
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

  const Message& message(const Instr& instr) const {
    return plan_.messages[static_cast<std::size_t>(instr.message)];
  }

  StepResult run(const float* images, const std::int64_t* labels,
                 const std::vector<float*>& outputs, bool training) {
    omp_use();
    images_ = images;
    labels_ = labels;
    outputs_ = &outputs;
    tally_.begin(labels);
    trace_.clear();
    std::vector<Step>& steps = bound_.steps();
    const Clock::time_point begin = Clock::now();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!training && !runs_in_inference(*steps[i].instr)) continue;
      if (options_.status != nullptr)
        std::snprintf(options_.status, 256, "%s", steps[i].label.c_str());
      const double started =
          options_.trace ? std::chrono::duration<double>(Clock::now() - begin).count() : 0;
      execute(steps[i], training);
      if (options_.trace) {
        trace_.push_back({static_cast<std::int32_t>(i), started,
                          std::chrono::duration<double>(Clock::now() - begin).count()});
      }
    }
    return tally_.summed(comm_, control_tag(0), wait_);
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
      case InstrKind::redo:
        redo_task(step);
        break;
      case InstrKind::backward:
        backward_task(step);
        break;
      case InstrKind::send:
        clear_image_grads(step);
        mailbox_.send(message(instr));
        break;
      case InstrKind::post:
        mailbox_.post(message(instr));
        break;
      case InstrKind::recv:
      case InstrKind::reduce:
        clear_image_grads(step);
        mailbox_.receive(message(instr), label);
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

  TaskContext context(const Step& step, bool training) {
    const BoundTask& task = *step.task;
    const std::int64_t first = task.shard * task.samples;
    StepInfo info;
    info.training = training;
    info.seed = options_.seed;
    info.step = step_;
    info.first_sample = first;
    info.counted = tally_.counted();
    info.statistics_weight = static_cast<double>(std::min(plan_.grid.bn_group, task.samples)) /
                             static_cast<double>(plan_.grid.batch);
    return {
        arena_,         scratch_,
        info,           labels_ == nullptr ? nullptr : labels_ + first * tally_.labels_per_sample(),
        sgd_,           step.instr->stage,
        step.clear_sums};
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
    if (op == OpKind::loss || op == OpKind::output) deliver(task);
    if (op == OpKind::output || (op == OpKind::loss && labels_ == nullptr)) return;
    TaskContext c = context(step, training);
    run_forward(graph_, task, c);
    if (op == OpKind::loss)
      tally_.add(task.kernels->group().output, task.shard,
                 TensorOf<float>(arena_.image(task.group, task.shard).ref));
  }

  /// The operand of a loss or output op is what the caller asked for.
  void deliver(BoundTask& task) {
    const ValueId v = task.kernels->group().output;
    const auto found = std::find(graph_.outputs.begin(), graph_.outputs.end(), v);
    const auto i = static_cast<std::size_t>(found - graph_.outputs.begin());
    if (found == graph_.outputs.end() || i >= outputs_->size() || (*outputs_)[i] == nullptr) return;
    scratch_.reset();
    const TensorRef from = read_operand(task.operands[0], arena_, task.shard, scratch_);
    const std::int64_t elems = from.c * from.pixels();
    const TensorRef to{
        (*outputs_)[i] + task.shard * task.samples * elems, from.n, from.c, from.h, from.w, 1};
    copy_channels(to, 0, from, 0, from.c, false);
  }

  void clear_image_grads(const Step& step) {
    for (const auto& [group, shard] : step.clear_first) {
      ArenaTensor* grad = arena_.image_grad(group, shard);
      if (grad != nullptr) std::memset(grad->data, 0, static_cast<std::size_t>(grad->ref.bytes()));
    }
  }

  /// The running statistics have been told already.
  void redo_task(Step& step) {
    TaskContext c = context(step, true);
    c.step.statistics_weight = 0;
    run_forward(graph_, *step.task, c);
  }

  void backward_task(Step& step) {
    clear_image_grads(step);
    TaskContext c = context(step, true);
    run_backward(graph_, *step.task, c);
  }

  const Graph graph_;
  const Plan plan_;
  Communicator& comm_;
  EngineOptions options_;
  GroupedGraph grouped_;
  const RankProgram& program_;
  Arena arena_;
  ParamStore store_;
  BoundProgram bound_;
  StatisticsMail statistics_;
  Mailbox mailbox_;
  Scratch scratch_;
  WaitOptions wait_;
  std::uint64_t step_ = 0;
  bool statistics_shared_ = false;
  const Sgd* sgd_ = nullptr;
  const float* images_ = nullptr;
  const std::int64_t* labels_ = nullptr;
  const std::vector<float*>* outputs_ = nullptr;
  LossTally tally_;
  std::vector<TraceEvent> trace_;
};

}  // namespace

bool runs_dtype(DType dtype) { return dtype == DType::fp32 || cpu::has_avx512(); }

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
  if (!runs_dtype(plan.grid.dtype)) {
    fail(ErrorCode::unsupported_op,
         "the plan stores activations as bf16, which takes a processor "
         "with AVX-512; plan with --dtype fp32");
  }
  // Kernels divide their work among the threads that there are when they are prepared.
  if (options.threads > 0) omp_set_num_threads(options.threads);
  return std::make_unique<CpuEngine>(graph, plan, comm, options);
}

}  // namespace hpmp
