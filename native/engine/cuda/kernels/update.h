// Arguments of the optimizer: m = momentum m + (g + weight_decay w); w -= lr m.
#pragma once

#include "engine/cuda/kernels/step.h"
#include "engine/cuda/kernels/tiles.h"

namespace hpmp::cuda {

/// Of one parameter. The factors are those of `numbers` or, where that is null, those given here.
struct SgdArgs {
  int items;
  float lr, momentum, weight_decay;
  const float* grad;
  float *weight, *velocity;
  const StepNumbers* numbers;
};

/// Rows of a parameter that one rank updates; `wide`: all three may be read 16 bytes at a time.
struct SgdPiece {
  const float* grad;
  float *weight, *velocity;
  long long count;
  int wide;
};

/// Of many parameters. Four elements per item.
struct SgdAllArgs {
  int items;
  const SgdPiece* pieces;
  const Tile* tiles;
  const StepNumbers* numbers;
};

}  // namespace hpmp::cuda
