// Arguments of the plain convolution: right for every shape, and slow; for tests, and for shapes
// that cuDNN has no engine for. A dense layer is one of a single pixel.
#pragma once

#include "engine/cuda/kernels/pool.h"

namespace hpmp::cuda {

/// x: [n][rows.input][columns.input][c], y: [n][rows.output][columns.output][k]; weights fp32
/// [k][c / groups][taps].
struct ConvShape {
  int n, c, k, groups;
  PoolAxis rows, columns;
};

/// y = x * weights + bias + addend, held between the bounds; bias and addend may be null. One item
/// per output element.
struct ConvArgs {
  int items;
  ConvShape shape;
  float low, high;
  const void* x;
  const float *weights, *bias;
  const void* addend;
  void* y;
};

/// One item per input element.
struct ConvDataGradArgs {
  int items;
  ConvShape shape;
  const void* dy;
  const float* weights;
  void* dx;
  int accumulate;
};

/// One item per weight.
struct ConvWeightGradArgs {
  int items;
  ConvShape shape;
  const void *x, *dy;
  float* grad;
  int accumulate;
};

/// Weights and bias with a batch_norm of running statistics folded in; bias may be null. One item
/// per output channel.
struct FoldArgs {
  int items, row;
  double epsilon;
  const float *weights, *bias, *scale, *shift, *mean, *variance;
  float *folded_weights, *folded_bias;
};

}  // namespace hpmp::cuda
