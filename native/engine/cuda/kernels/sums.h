// Arguments of the sums over rows of [segments][rows][c]: chunks of rows first, then, in order, the
// chunks; so a sum depends on shapes alone.
#pragma once

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

/// Two sums of one channel of one segment, as the engine's ChannelSums.
struct SumPair {
  double first, second;
};

/// What is summed of x and dy, [rows][c] each.
enum SumKind : int {
  kValues,    // x
  kMoments,   // x, x x
  kProducts,  // dy, dy x
  kBelow,     // nothing, x dy where x is below zero
};

constexpr int kSumThreads = 256;

/// Vectors of channels that a block sums, side by side: all, up to the threads of a warp.
HPMP_DEVICE int strip_lanes(long long vectors) {
  int lanes = 1;
  while (lanes < 32 && lanes < vectors) lanes *= 2;
  return lanes;
}

/// One block per segment, chunk and strip of channels. partials: [segment][chunk][c].
struct SumsArgs {
  int items, kind, c, rows, chunks;
  const void *x, *dy;
  SumPair* partials;
};

constexpr int kMergedChannels = 8;

/// Sums over chunks. from: [segment][chunks][c]; to: [segment][c]. One block per segment and
/// kMergedChannels.
struct MergeArgs {
  int items, c, chunks;
  const SumPair* from;
  SumPair* to;
};

/// Adds to gradients, [c] or, where `shared`, one number; null: not wanted. One item per number.
struct AddSumsArgs {
  int items, c, shared;
  const SumPair* sums;
  float *first, *second;
};

/// y[k] (=|+=) factor times the first or second sum.
struct StoreSumsArgs {
  int items, second;
  const SumPair* sums;
  double factor;
  void* y;
  int accumulate;
};

}  // namespace hpmp::cuda
