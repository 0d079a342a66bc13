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

/// What the probabilities of a pixel's classes should be.
struct Smoothed {
  double label, each;  // the share of the label's class, and of every class beside that

  HPMP_DEVICE double of(bool is_label) const { return each + (is_label ? label : 0); }
};

/// Of LossArgs and their like.
template <class Args>
HPMP_DEVICE Smoothed smoothed(const Args& a) {
  const double smoothing = a.numbers ? a.numbers->label_smoothing : a.smoothing;
  return {1 - smoothing, smoothing / a.c};
}

}  // namespace hpmp::cuda
