// The engine of one rank: executes its program of a plan, verbatim, step after step.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/ferry.h"
#include "engine/optimizer.h"
#include "plan/plan.h"

namespace hpmp {

class Communicator;

enum class DeviceKind : std::uint8_t { cpu, cuda };

/// Whether this machine's kernels compute on activations of the type.
bool runs_dtype(DType dtype, DeviceKind device = DeviceKind::cpu);

/// GPUs that this process may use; 0 without a driver or in a build without CUDA, and `why` in
/// words then.
int count_gpus(std::string& why);

/// Somebody else's memory and stream on a GPU; see hpmp_gpu_memory in hpmp.h.
struct GpuMemory {
  void* context = nullptr;
  void* (*allocate)(void* context, std::size_t bytes) = nullptr;  // null: the driver's memory
  void (*release)(void* context, void* memory) = nullptr;
  void* stream = nullptr;
};

struct EngineOptions {
  DeviceKind device = DeviceKind::cpu;
  int gpu = 0;  // which of this process's
  GpuMemory gpu_memory;
  bool tf32 = false;  // on a GPU: fp32 products of convolutions and dense layers may be rounded
  std::uint64_t seed = 0;
  int threads = 0;  // OpenMP threads; 0: leave as is
  double comm_timeout_seconds = 60;
  char* status = nullptr;  // 256 bytes that always hold the current instruction, or null
  bool trace = false;
  double label_smoothing = 0;  // in training steps, from 0 to 1
};

/// Sums over the whole global batch, the same on every rank.
struct StepResult {
  double loss = 0;           // weighted sum over the heads of the mean over all labels that count
  std::int64_t correct = 0;  // labels that are the first head's top class
  std::int64_t counted = 0;  // labels that are not ignored
  /// In which the host gave out the step's work (on a CPU: did it), messages waited for included.
  double host_seconds = 0;
  /// Of the first head, where it is of maps, by class: right, predicted and labelled pixels.
  std::vector<std::int64_t> confusion;
};

/// By how they went; on the host, all through its memory. See Passage.
using SentBytes = std::array<std::int64_t, kPassages>;

struct TraceEvent {
  std::int32_t instr = 0;
  double start_seconds = 0, end_seconds = 0;  // since the step's start
};

class Engine {
 public:
  /// `comm` must outlive the engine; its size is the plan's ranks. Weights are undefined until set.
  static std::unique_ptr<Engine> create(const Graph& graph, const Plan& plan, Communicator& comm,
                                        const EngineOptions& options);
  virtual ~Engine() = default;

  /// `data`: the whole parameter, C order; the rank takes the rows that it uses.
  virtual void set_param(ParamId p, const float* data) = 0;
  /// Writes the rows that this rank owns into `data` (the whole parameter) and zero elsewhere, so
  /// that a sum over ranks is the parameter. Running statistics: this rank's additive part.
  virtual void get_param(ParamId p, float* data) = 0;
  /// Gradient of the last step, the same way (owned rows, summed over all ranks).
  virtual void get_param_grad(ParamId p, float* data) = 0;
  /// Of the optimizer's states number `k`, the same ways; zero at first.
  virtual void get_state(ParamId p, int k, float* data) = 0;
  virtual void set_state(ParamId p, int k, const float* data) = 0;
  /// Steps made before, by which random choices are keyed and bias corrections count.
  virtual void set_step(std::uint64_t step) = 0;
  /// Whether the times of the next steps' instructions are kept; a GPU then does one at a time.
  virtual void set_trace(bool trace) = 0;

  /// Whether labels are from now on given for this rank's shards alone (plan/reads.h), and anything
  /// for the others; otherwise every rank gives those of the whole batch. The same on every rank.
  virtual void set_own_labels(bool own) = 0;

  /// images: the global batch [batch][c][h][w]; labels [batch][h][w] of the logits, -1 ignored.
  /// `optimizer`: of the plan's kind. Collective.
  /// Errors: `invalid_argument` naming a label that is no class, or what the optimizer lacks.
  virtual StepResult train_step(const float* images, const std::int64_t* labels,
                                const Optimizer& optimizer) = 0;
  /// Forward part only, inference form. `outputs[i]`: [batch][elems] of graph output i (for a
  /// training graph: the logits), filled for the samples whose output cell is on this rank, zero
  /// elsewhere; may be null. Collective.
  virtual StepResult forward(const float* images, const std::int64_t* labels,
                             const std::vector<float*>& outputs) = 0;

  /// Elements sent since creation or the last reset, by net and by destination.
  virtual std::vector<std::int64_t> sent_by_net() const = 0;
  virtual std::vector<std::int64_t> sent_by_peer() const = 0;
  virtual SentBytes sent_bytes() const = 0;  // of the same
  virtual void reset_counters() = 0;
  virtual std::int64_t memory_bytes() const = 0;             // arena, parameters, kernels' own
  virtual const std::vector<TraceEvent>& trace() const = 0;  // of the last step
};

}  // namespace hpmp
