// An optimizer's settings, what a step makes of them, and what it works on.
#pragma once

#include <cstdint>

#include "base/optimizer.h"
#include "engine/cuda/kernels/update_rule.h"

namespace hpmp {

/// Fields that another kind has are of no meaning.
struct Optimizer {
  OptimizerKind kind = OptimizerKind::sgd;
  double lr = 0.1, weight_decay = 0;
  double momentum = 0.9;                          // sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adamw
};

/// What step number `step` does, counted from 1, bias corrections included (sgd: as torch.optim.SGD
/// does it; adamw: Loshchilov and Hutter 2019, as torch.optim.AdamW does it).
/// Errors: `invalid_argument` naming a setting with which no step is defined.
UpdateRule update_rule(const Optimizer& optimizer, std::uint64_t step);

/// Elements of a parameter that lie together; `state`: what the optimizer keeps of them.
struct UpdateRange {
  float *grad, *weight;
  float* state[kMostStates];
  std::int64_t count;
};

}  // namespace hpmp
