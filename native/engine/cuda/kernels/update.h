// Arguments of the optimizer's step on parameters; update_rule.h says what that is.
#pragma once

#include "engine/cuda/kernels/step.h"
#include "engine/cuda/kernels/tiles.h"

namespace hpmp::cuda {

/// Rows of a parameter that one rank updates, with what the optimizer keeps of them; `wide`: all of
/// them may be read 16 bytes at a time.
struct UpdatePiece {
  const float* grad;
  float* weight;
  float* state[kMostStates];
  long long count;
  int wide;
};

/// Of one piece, an element per item. The rule is that of `numbers` or, where that is null, the one
/// given here.
struct UpdateArgs {
  int items;
  UpdateRule rule;
  UpdatePiece piece;
  const StepNumbers* numbers;
};

/// Of many pieces. Four elements per item.
struct UpdateAllArgs {
  int items;
  const UpdatePiece* pieces;
  const Tile* tiles;
  const StepNumbers* numbers;
};

}  // namespace hpmp::cuda
