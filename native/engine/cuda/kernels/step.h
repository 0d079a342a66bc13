// What changes from step to step, kept in memory of the GPU: a captured run that reads it there
// serves every step.
#pragma once

namespace hpmp::cuda {

struct StepNumbers {
  unsigned long long seed, step;
  long long counted;  // labels of the global batch that are not ignored
  float lr, momentum, weight_decay;
};

}  // namespace hpmp::cuda
