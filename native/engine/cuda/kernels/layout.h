// Arguments of the copies between tensors of different channels, layouts and types.
#pragma once

namespace hpmp::cuda {

/// to[row][to_first + k] (=|+=) from[row][from_first + k] for k < count; rows are pixels of all
/// samples. One item per vector of `count`.
struct CopyChannelsArgs {
  int items, count, from_c, from_first, to_c, to_first;
  const void* from;
  void* to;
  int accumulate;
};

/// fp32 [n][c][pixels] to or from stored [n][pixels][channels]: channels [first, first + count) of
/// the plain side are channels [packed, ...) of the stored one. One item per element copied.
struct EdgeArgs {
  int items, pixels, count, plain_c, first, stored_c, packed;
  const void* from;
  void* to;
};

/// A filter fp32 [k][c][taps] to or from stored [k][taps][c], `accumulate` where it is a gradient.
/// One item per element or, where there is one tap, per vector.
struct FilterArgs {
  int items, c, taps;
  const void* from;
  void* to;
  int accumulate;
};

/// to[group][column][row][tap] (=|+=) from[group][row][column][tap], fp32. One item per element.
struct SwapFilterArgs {
  int items, rows, columns, taps;
  const float* from;
  float* to;
  int accumulate;
};

}  // namespace hpmp::cuda
