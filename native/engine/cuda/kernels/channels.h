// Arguments of the kernels that treat each channel of [rows][c] by numbers of its own.
#pragma once

#include "engine/cuda/kernels/step.h"

namespace hpmp::cuda {

/// y (=|+=) x scale + shift; null: 1 and 0.
struct ScaleArgs {
  int items, c;
  const void* x;
  const float *scale, *shift;
  void* y;
  int accumulate;
};

/// y = y + bias + addend, held between the bounds; bias and addend may be null.
struct FinishArgs {
  int items, c;
  float low, high;
  const float* bias;
  const void* addend;
  void* y;
};

/// y (=|+=) x gate, with gate[n][c] for the `pixels` rows of each sample.
struct GateArgs {
  int items, c, pixels;
  const void *x, *gate;
  void* y;
  int accumulate;
};

/// y (=|+=) from, times slope where x is below zero; `shared`: one slope for all channels.
struct PreluArgs {
  int items, c, shared;
  const void *x, *from;
  const float* slope;
  void* y;
  int accumulate;
};

/// The mask is a hash of (seed, step, node, sample, channel, pixel); channels[c]: their numbers in
/// the graph. Seed and step are those of `numbers` or, where that is null, those given here.
struct DropoutArgs {
  int items, c, pixels;
  const void* x;
  void* y;
  const int* channels;
  const StepNumbers* numbers;
  unsigned long long seed, step, node, first_sample;
  unsigned limit;
  unsigned spread;  // 1: a draw for every element; 0: one for all of a sample
  float scale;
  int accumulate;
};

}  // namespace hpmp::cuda
