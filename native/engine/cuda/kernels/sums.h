// Arguments of the sums over rows of [segments][rows][c]: chunks of rows first, then, in order,
// chunks of chunks; so a sum depends on shapes alone.
#pragma once

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

/// One item per segment, chunk and vector of channels. partials: [segment][chunk][c].
struct SumsArgs {
  int items, kind, c, rows, chunks;
  const void *x, *dy;
  SumPair* partials;
};

/// Chunks of one level added to those of the next. from: [segment][chunks][c]; to: the same with
/// as many chunks as groups of `merged` make.
struct MergeArgs {
  int items, c, chunks, merged;
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
