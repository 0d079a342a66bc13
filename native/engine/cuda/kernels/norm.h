// Arguments of batch_norm's kernels, with the add and the bounds fused behind it. A segment is a
// group of samples that share statistics; means: [segment][2][c], the mean and 1 / deviation.
#pragma once

#include "engine/cuda/kernels/sums.h"

namespace hpmp::cuda {

/// From sums of x and x x to means, and to the running statistics (null: not wanted).
struct MomentsArgs {
  int items, c, segments;
  double count, epsilon, weight;  // count: values per sum; weight: of what is added to running
  const SumPair* sums;
  float *means, *running_mean, *running_var;
};

/// Running statistics as the means of every segment. One item per segment and channel.
struct RunningArgs {
  int items, c;
  double epsilon;
  const float *running_mean, *running_var;
  float* means;
};

/// Rows of one segment that a thread normalises.
constexpr int kNormRows = 4;

/// Groups of so many rows in a segment.
HPMP_DEVICE int norm_groups(int rows) { return (rows + kNormRows - 1) / kNormRows; }

/// y = (x - mean) / deviation scale + shift + other, held between the bounds; other may be null.
/// One item per kNormRows rows of a segment and vector of channels.
struct NormalizeArgs {
  int items, c, rows;  // rows of a segment
  float low, high;
  const void *x, *other;
  const float *means, *scale, *shift;
  void* y;
};

/// Sums of g and g (x - mean), g being what the bounds let pass of dy. The bounds are looked up in
/// y or, where that is null, in the value computed again. Null: kept (= g), added (+= g).
struct NormSumsArgs {
  int items, c, rows, chunks;
  float low, high;
  const void *x, *dy, *y;
  const float *means, *scale, *shift;
  void *kept, *added;
  SumPair* partials;
};

/// From those sums to the input gradient's slopes, [segment][2][c], and to parameter gradients.
/// `divided`: the second sums are already over (x - mean) / deviation. Null: not wanted.
struct SlopesArgs {
  int items, c, segments, divided;
  double count;
  const SumPair* sums;
  const float* means;
  float *slopes, *scale_grad, *shift_grad;
  SumPair* own;  // of one segment: what other tasks need
};

/// dx (=|+=) scale / deviation (g - slope0 - (x - mean) slope1); slopes null: both zero. g is dy,
/// where `bounded` only what the bounds let pass of it. Items as above.
struct NormGradArgs {
  int items, c, rows, bounded;
  float low, high;
  const void *x, *dy;
  const float *means, *scale, *shift, *slopes;
  void* dx;
  int accumulate;
};

}  // namespace hpmp::cuda
