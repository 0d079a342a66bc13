// Arguments of the optimizer.
#pragma once

namespace hpmp::cuda {

/// m = momentum m + (g + weight_decay w); w -= lr m.
struct SgdArgs {
  int items;
  float lr, momentum, weight_decay;
  const float* grad;
  float *weight, *velocity;
};

}  // namespace hpmp::cuda
