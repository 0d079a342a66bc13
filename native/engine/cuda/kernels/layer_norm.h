// Arguments of layer_norm: one row of c channels per pixel. means: [rows][2], the mean and
// 1 / deviation. scale and shift may be null: 1 and 0.
#pragma once

#include "engine/cuda/kernels/sums.h"

namespace hpmp::cuda {

struct LayerNormArgs {
  int items, c;
  double epsilon;
  const void* x;
  const float *scale, *shift;
  void* y;
  float* means;  // null in inference
};

/// With g = dy scale and x' the normalised input: dx (=|+=) (g - mean(g) - x' mean(g x')) / std.
struct LayerNormGradArgs {
  int items, c;
  const void *x, *dy;
  const float *scale, *means;
  void* dx;
  int accumulate;
};

/// Sums of dy and dy x' over chunks of rows; see SumsArgs.
struct LayerNormSumsArgs {
  int items, c, rows, chunks;
  const void *x, *dy;
  const float* means;
  SumPair* partials;
};

}  // namespace hpmp::cuda
