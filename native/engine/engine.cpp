#include "engine/engine.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/numbers.h"
#include "comm/wait.h"
#include "engine/control_tags.h"
#include "engine/cpu/isa.h"
#include "engine/loss_tally.h"
#include "engine/mailbox.h"
#include "engine/program.h"
#include "engine/statistics.h"
#include "engine/step_inputs.h"
#include "engine/step_recorder.h"
#include "plan/reads.h"

namespace hpmp {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t input_elems(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.op == OpKind::input) return graph.shape(node.output).elems();
  }
  return 0;
}

class RankEngine final : public Engine {
 public:
  RankEngine(const Graph& graph, const Plan& plan, Communicator& comm, const EngineOptions& options)
      : graph_(graph),
        plan_(plan),
        comm_(comm),
        options_(options),
        grouped_(fuse_groups(graph_)),
        program_(plan_.programs.at(static_cast<std::size_t>(comm.rank()))),
        backend_(open_backend(options, plan_.grid.dtype)),
        arena_(graph_, grouped_, plan_, comm.rank(), *backend_),
        store_(graph_, program_, plan_.grid, *backend_),
        statistics_(graph_, grouped_, plan_, arena_, *backend_),
        mailbox_(plan_, comm, arena_, *backend_, store_, statistics_, options.comm_timeout_seconds),
        bound_(graph_, grouped_, plan_, program_, arena_, store_, *backend_),
        scratch_(*backend_),
        tally_(graph_, plan_.grid, *backend_),
        counted_(static_cast<std::size_t>(plan_.grid.shards), true),
        inputs_(plan_, program_, *backend_, input_elems(graph_), tally_.labels_per_sample()),
        training_(bound_.steps(), *backend_, [this](const Step& s) { return turn(s, true); }),
        inference_(bound_.steps(), *backend_, [this](const Step& s) { return turn(s, false); }) {
    wait_.timeout_seconds = options.comm_timeout_seconds;
    scratch_.reserve(bound_.scratch_bytes());
  }

  void set_param(ParamId p, const float* data) override {
    backend_->enter();
    store_.set(p, data);
    bound_.params_changed();
  }
  void get_param(ParamId p, float* data) override {
    clear(p, data);
    store_.get(p, data);
  }
  void get_param_grad(ParamId p, float* data) override {
    clear(p, data);
    store_.get_grad(p, data);
  }
  void get_state(ParamId p, int k, float* data) override {
    clear(p, data);
    store_.get_state(p, k, data);
  }
  void set_state(ParamId p, int k, const float* data) override {
    backend_->enter();
    store_.set_state(p, k, data);
  }
  void set_step(std::uint64_t step) override { step_ = step; }
  void set_trace(bool trace) override { options_.trace = trace; }
  void set_own_labels(bool own) override {
    own_labels_ = own;
    if (own)
      counted_ = shard_reads(graph_, grouped_, plan_, program_).counted;
    else
      counted_.assign(counted_.size(), true);
  }

  StepResult train_step(const float* images, const std::int64_t* labels,
                        const Optimizer& optimizer) override {
    check_trains(optimizer.kind);
    const UpdateRule rule = update_rule(optimizer, step_ + 1);
    statistics_shared_ = false;
    const StepResult result = run(images, labels, {}, &rule);
    ++step_;
    bound_.params_changed();
    return result;
  }

  StepResult forward(const float* images, const std::int64_t* labels,
                     const std::vector<float*>& outputs) override {
    if (!statistics_shared_) {
      use_device();
      share_statistics(graph_, plan_, comm_, store_, *backend_,
                       control_tag(plan_, Control::statistics), wait_);
      statistics_shared_ = true;
      bound_.params_changed();
    }
    return run(images, labels, outputs, nullptr);
  }

  std::vector<std::int64_t> sent_by_net() const override { return mailbox_.sent_by_net(); }
  std::vector<std::int64_t> sent_by_peer() const override { return mailbox_.sent_by_peer(); }
  SentBytes sent_bytes() const override { return mailbox_.sent_bytes(); }
  void reset_counters() override { mailbox_.reset_counters(); }
  std::int64_t memory_bytes() const override {
    return arena_.bytes() + scratch_.bytes() + store_.bytes() + bound_.kernel_bytes() +
           inputs_.bytes() + mailbox_.bytes();
  }
  const std::vector<TraceEvent>& trace() const override { return trace_; }

 private:
  void use_device() {
    backend_->enter();
    if (options_.threads > 0) omp_set_num_threads(options_.threads);
  }

  /// Of what a rank does not own nothing is written.
  void clear(ParamId p, float* data) {
    backend_->enter();
    std::fill_n(data, graph_.param(p).elems(), 0.0F);
  }

  void check_trains(OptimizerKind kind) const {
    if (!plan_.grid.training)
      fail(ErrorCode::invalid_argument,
           "this plan is for inference; plan with training on to train");
    if (kind == plan_.grid.optimizer) return;
    const std::string asked = optimizer_info(kind).name;
    fail(ErrorCode::invalid_argument, std::string("this engine keeps the state of ") +
                                          optimizer_info(plan_.grid.optimizer).name + ", not of " +
                                          asked + "; plan with optimizer " + asked);
  }

  const Message& message(const Instr& instr) const {
    return plan_.messages[static_cast<std::size_t>(instr.message)];
  }

  /// `rule`: of the update; null where only the forward part runs.
  StepResult run(const float* images, const std::int64_t* labels,
                 const std::vector<float*>& outputs, const UpdateRule* rule) {
    use_device();
    begin_ = Clock::now();
    outputs_ = &outputs;
    tally_.begin(labels, counted_);
    if (own_labels_) tally_.sum_counts(comm_, control_tag(plan_, Control::labels), wait_);
    begin_step(rule);
    inputs_.begin(images, labels);
    if (rule != nullptr) store_.begin_step();
    trace_.clear();
    // Records must not depend on which weights were new when they were made.
    if (rule == nullptr) bound_.load_params(false);
    run_steps(rule != nullptr ? training_ : inference_);
    const double host_seconds = seconds_since_begin();
    backend_->finish();
    StepResult result = tally_.summed(comm_, control_tag(plan_, Control::loss), wait_);
    result.host_seconds = host_seconds;
    return result;
  }

  /// A step that is traced is traced instruction by instruction.
  void run_steps(StepRecorder& recorder) {
    double started = 0;
    const auto before = [&](const Step& step) {
      show(step);
      started = options_.trace ? seconds_since_begin() : 0;
    };
    const auto after = [&](const Step& step) {
      mailbox_.progress();
      if (options_.trace) trace(step, started);
    };
    recorder.run(!options_.trace, before, [this](Step& step) { execute(step); }, after);
  }

  void trace(const Step& step, double started) {
    backend_->finish();
    const auto i = static_cast<std::int32_t>(&step - bound_.steps().data());
    trace_.push_back({i, started, seconds_since_begin()});
  }

  void show(const Step& step) const {
    if (options_.status != nullptr) std::snprintf(options_.status, 256, "%s", step.label.c_str());
  }
  double seconds_since_begin() const {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
  }

  void begin_step(const UpdateRule* rule) {
    info_ = StepInfo();
    info_.training = rule != nullptr;
    if (info_.training) info_.label_smoothing = options_.label_smoothing;
    info_.seed = options_.seed;
    info_.step = step_;
    info_.counted = tally_.counted();
    info_.statistics_weight =
        static_cast<double>(std::min(plan_.grid.bn_group, plan_.grid.shard_samples())) /
        static_cast<double>(plan_.grid.batch);
    info_.numbers = backend_->numbers();
    rule_ = rule == nullptr ? UpdateRule() : *rule;
    backend_->begin_step(info_, rule_);
  }

  /// What a record may hold: not messages, nor what goes to the caller's memory.
  Turn turn(const Step& step, bool training) const {
    const Instr& instr = *step.instr;
    if (instr.message >= 0) {
      const bool runs = training || message(instr).kind == MessageKind::activation;
      return runs ? Turn::alone : Turn::skipped;
    }
    if (training) return Turn::in_stretch;
    if (instr.kind != InstrKind::load && instr.kind != InstrKind::forward) return Turn::skipped;
    return instr.kind == InstrKind::forward && is_sink(*step.task) ? Turn::alone : Turn::in_stretch;
  }

  OpKind head_op(const BoundTask& task) const {
    return graph_.node(task.kernels->group().nodes[0]).op;
  }
  bool is_sink(const BoundTask& task) const {
    return head_op(task) == OpKind::loss || head_op(task) == OpKind::output;
  }

  void execute(Step& step) {
    const Instr& instr = *step.instr;
    const char* label = step.label.c_str();
    switch (instr.kind) {
      case InstrKind::load:
        load(instr);
        break;
      case InstrKind::forward:
        forward_task(step);
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
        step.update->run();
        break;
    }
  }

  TaskContext context(const Step& step) {
    const std::int32_t shard = step.task->shard;
    StepInfo info = info_;
    info.first_sample = shard * step.task->samples;
    return {arena_, *backend_,         scratch_,       info, inputs_.labels(shard),
            &rule_, step.instr->stage, step.clear_sums};
  }

  void load(const Instr& instr) {
    const ArenaTensor& image = arena_.image(instr.group, instr.shard);
    const std::int64_t channels = grouped_.group(instr.group).shape.c;
    std::int64_t at = 0;
    for (Range c : image.plan->channels) {
      backend_->take_plain(image.ref, at, inputs_.images(instr.shard), channels, c);
      at += c.size();
    }
  }

  void forward_task(Step& step) {
    BoundTask& task = *step.task;
    const OpKind op = head_op(task);
    if (is_sink(task)) deliver(task);
    const bool labelled = inputs_.labels(task.shard) != nullptr;
    if (op == OpKind::output || (op == OpKind::loss && !labelled)) return;
    TaskContext c = context(step);
    run_forward(graph_, task, c);
    if (op == OpKind::loss)
      tally_.fetch(task.kernels->group().output, task.shard,
                   arena_.image(task.group, task.shard).ref);
  }

  /// The operand of a loss or output op is what the caller asked for.
  void deliver(BoundTask& task) {
    const ValueId v = task.kernels->group().output;
    const auto found = std::find(graph_.outputs.begin(), graph_.outputs.end(), v);
    const auto i = static_cast<std::size_t>(found - graph_.outputs.begin());
    if (found == graph_.outputs.end() || i >= outputs_->size() || (*outputs_)[i] == nullptr) return;
    scratch_.reset();
    const TensorRef from = read_operand(task.operands[0], arena_, *backend_, task.shard, scratch_);
    const std::int64_t elems = from.c * from.pixels();
    backend_->give_plain((*outputs_)[i] + task.shard * task.samples * elems, from,
                         scratch_.take(backend_->plain_room(from.elems())));
  }

  void clear_image_grads(const Step& step) {
    for (const auto& [group, shard] : step.clear_first) {
      ArenaTensor* grad = arena_.image_grad(group, shard);
      if (grad != nullptr) backend_->clear(grad->data, grad->ref.bytes());
    }
  }

  /// The running statistics have been told already.
  void redo_task(Step& step) {
    TaskContext c = context(step);
    c.step.statistics_weight = 0;
    run_forward(graph_, *step.task, c);
  }

  void backward_task(Step& step) {
    clear_image_grads(step);
    TaskContext c = context(step);
    run_backward(graph_, *step.task, c);
  }

  const Graph graph_;
  const Plan plan_;
  Communicator& comm_;
  EngineOptions options_;
  GroupedGraph grouped_;
  const RankProgram& program_;
  std::unique_ptr<Backend> backend_;  // before all that is in its memory
  Arena arena_;
  ParamStore store_;
  StatisticsMail statistics_;
  Mailbox mailbox_;  // waits for the other ranks, so before what takes ranks unlike times
  BoundProgram bound_;
  Scratch scratch_;
  WaitOptions wait_;
  std::uint64_t step_ = 0;
  StepInfo info_;    // of the current step
  UpdateRule rule_;  // likewise
  bool statistics_shared_ = false;
  const std::vector<float*>* outputs_ = nullptr;
  LossTally tally_;
  bool own_labels_ = false;
  std::vector<bool> counted_;  // by shard: whether this rank counts its labels
  StepInputs inputs_;
  StepRecorder training_, inference_;
  Clock::time_point begin_;  // of the current step
  std::vector<TraceEvent> trace_;
};

}  // namespace

bool runs_dtype(DType dtype, DeviceKind device) {
  return dtype == DType::fp32 || device == DeviceKind::cuda || cpu::has_avx512();
}

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
  if (!runs_dtype(plan.grid.dtype, options.device)) {
    fail(ErrorCode::unsupported_op,
         "the plan stores activations as bf16, which takes a processor "
         "with AVX-512; plan with --dtype fp32");
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    fail(ErrorCode::invalid_argument,
         "label smoothing " + real_text(options.label_smoothing) + " is not a share from 0 to 1");
  }
  // Kernels divide their work among the threads that there are when they are prepared.
  if (options.threads > 0) omp_set_num_threads(options.threads);
  return std::make_unique<RankEngine>(graph, plan, comm, options);
}

}  // namespace hpmp
