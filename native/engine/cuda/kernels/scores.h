// Arguments of softmax and the loss: one row of c numbers per item.
#pragma once

#include "engine/cuda/kernels/step.h"

namespace hpmp::cuda {

struct SoftmaxArgs {
  int items, c;
  const void* x;
  void* y;
};

/// dx (=|+=) y (dy - the sum of y dy).
struct SoftmaxGradArgs {
  int items, c;
  const void *y, *dy;
  void* dx;
  int accumulate;
};

/// Softmax cross-entropy of a row of logits and its label, of which `smoothing` is spread over all
/// classes: by `numbers` or, where that is null, as given here. -1 is ignored: loss 0, no gradient.
/// A label that is no class gives NaN.
struct LossArgs {
  int items, c;
  double smoothing;
  const StepNumbers* numbers;
  const void* x;
  const long long* labels;
  float* y;  // [items][2]: the loss, and 1 where the top class is right
};

/// dx (=|+=) weight / counted (probability - smoothing / c - (1 - smoothing) at the label).
/// counted: the labels of the global batch that are not ignored, like smoothing by `numbers` or,
/// where that is null, as given here.
struct LossGradArgs {
  int items, c;
  double weight, smoothing;
  long long counted;
  const StepNumbers* numbers;
  const void* x;
  const long long* labels;
  void* dx;
  int accumulate;
};

}  // namespace hpmp::cuda
