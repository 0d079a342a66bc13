// Arguments of softmax and the loss: one row of c numbers per item.
#pragma once

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

/// Softmax cross-entropy of a row of logits and its label. -1 is ignored: loss 0, no gradient. A
/// label that is no class gives NaN.
struct LossArgs {
  int items, c;
  const void* x;
  const long long* labels;
  float* y;  // [items][2]: the loss, and 1 where the top class is right
};

/// dx (=|+=) share (probability - 1 at the label).
struct LossGradArgs {
  int items, c;
  double share;
  const void* x;
  const long long* labels;
  void* dx;
  int accumulate;
};

}  // namespace hpmp::cuda
