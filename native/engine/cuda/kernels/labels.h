// What a loss makes of a label.
#pragma once

#include "engine/cuda/kernels/portable.h"
#include "engine/cuda/kernels/scores.h"

namespace hpmp::cuda {

HPMP_DEVICE bool is_class(long long label, int c) { return label >= 0 && label < c; }

/// Of one label in the gradient of the batch's mean.
HPMP_DEVICE double share_of(const LossGradArgs& a) {
  const long long counted = a.numbers ? a.numbers->counted : a.counted;
  return a.weight / static_cast<double>(counted > 1 ? counted : 1);
}

}  // namespace hpmp::cuda
