// Arguments of the loss of maps: softmax cross-entropy of every pixel, and how classes fare. -1 is
// ignored: loss 0, no gradient, counted nowhere. A label that is no class gives NaN.
#pragma once

#include "engine/cuda/kernels/scores.h"
#include "engine/cuda/kernels/sums.h"

namespace hpmp::cuda {

/// What a pixel's logits say.
struct PixelScore {
  float loss;
  int top;  // the first of the greatest
};

/// One item per pixel of all samples.
struct PixelScoresArgs {
  int items, c;
  double smoothing;
  const StepNumbers* numbers;  // as in LossArgs
  const void* x;
  const long long* labels;
  PixelScore* scores;
};

/// Sums over chunks of the pixels of each of [segments] samples, see SumsArgs. partials:
/// [segment][chunk][2 c]: of class k at k the pixels that are right and that are predicted, at
/// c + k those that are labelled and their loss. One item per sample, chunk and class.
struct ClassSumsArgs {
  int items, c, pixels, chunks;
  const long long* labels;
  const PixelScore* scores;
  SumPair* partials;
};

/// y[sample]: loss, right pixels, and of each class the pixels that are right, predicted, labelled.
/// sums: [sample][2 c]. One item per number.
struct ClassTotalsArgs {
  int items, c;
  const SumPair* sums;
  float* y;
};

}  // namespace hpmp::cuda
