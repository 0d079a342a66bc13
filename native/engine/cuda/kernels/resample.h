// Arguments of resample: a sparse matrix per axis, forward or transposed.
#pragma once

namespace hpmp::cuda {

/// Row o of the matrix has the entries [begin[o], begin[o + 1]) of `at` and `weight`.
struct TapTable {
  const int *begin, *at;
  const float* weight;
};

/// to[n][h][w][c] (=|+=) the sum over the taps of h and of w of their weights times `from`; `fill`
/// where one of both has none. One item per vector of `to`.
struct ResampleArgs {
  int items, c, from_h, from_w, to_h, to_w;
  TapTable rows, columns;
  float fill;
  const void* from;
  void* to;
  int accumulate;
};

}  // namespace hpmp::cuda
