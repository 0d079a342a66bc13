// What changes from step to step, kept in memory of the GPU: a captured run that reads it there
// serves every step.
#pragma once

#include "engine/cuda/kernels/update_rule.h"

namespace hpmp::cuda {

struct StepNumbers {
  unsigned long long seed, step;
  long long counted;  // labels of the global batch that are not ignored
  double label_smoothing;
  UpdateRule rule;
};

}  // namespace hpmp::cuda
