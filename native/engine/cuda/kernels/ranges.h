// Arguments of what is done to many ranges of memory at once.
#pragma once

#include "engine/cuda/kernels/tiles.h"

namespace hpmp::cuda {

/// `bytes` from `at` on become zero or, where `factor` is not 0, that many bytes of floats are
/// multiplied by it. `wide`: `at` is aligned to 16 bytes.
struct RangePiece {
  void* at;
  long long bytes;
  float factor;
  int wide;
};

/// 16 bytes per item.
struct RangesArgs {
  int items;
  const RangePiece* pieces;
  const Tile* tiles;
};

}  // namespace hpmp::cuda
