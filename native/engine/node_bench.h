// One op of a network run alone on this thread's cores or on a GPU, timed pass by pass.
#pragma once

#include <vector>

#include "engine/bench_clock.h"
#include "engine/engine.h"
#include "graph/graph.h"

namespace hpmp {

struct BenchOptions {
  std::int64_t samples = 1;
  int repeats = 20;           // at most
  double budget_seconds = 1;  // no further repeat afterwards
  int threads = 0;            // OpenMP threads; 0: leave as is
  DType dtype = DType::fp32;  // of activations
  EngineOptions device;       // which, and how it computes
};

/// Seconds of each repeat, as a BenchClock counts them. `weights` is empty where the op has no
/// weights' gradient of its own; then `backward` is the whole backward pass. `load`: of taking new
/// parameters over, once a step.
struct PassSamples {
  std::vector<double> forward, backward, weights, load;
};

/// Errors: `unsupported_op` for an op that no kernel computes.
PassSamples time_node(const Graph& graph, NodeId node, const BenchOptions& options);

}  // namespace hpmp
