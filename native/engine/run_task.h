// Running a task's chain of kernels forward and backward on one shard.
#pragma once

#include "engine/operand.h"

namespace hpmp {

/// A task of the program: a group's kernels bound to one shard's tensors.
struct BoundTask {
  GroupId group;
  std::int32_t shard = 0;
  TaskKernels* kernels = nullptr;
  std::vector<Operand> operands;  // by group input
  GradMode grads;                 // filled where the task runs backward
  Ranges image;                   // channels of the rank's image of the output
  std::int64_t samples = 0;
};

struct TaskContext {
  Arena& arena;
  Backend& backend;
  Scratch& scratch;
  StepInfo step;
  const std::int64_t* labels = nullptr;  // of the shard
  const UpdateRule* update = nullptr;    // backward: for weights that a task updates itself
  std::int32_t stage = 0;                // see hypergraph/stages.h
  bool clear_sums = false;               // the first shard here that adds to a stage's sums
};

/// Each runs one stage of the task.
void run_forward(const Graph& graph, BoundTask& task, TaskContext& context);
void run_backward(const Graph& graph, BoundTask& task, TaskContext& context);

/// Scratch that either direction takes at most, kernels' own included.
std::int64_t task_scratch_bytes(const Graph& graph, const Backend& backend, const BoundTask& task);

}  // namespace hpmp
