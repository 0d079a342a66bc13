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

/// A filter fp32 [k][c][taps] to or from stored [k][taps][c]; `from` to `to`, the gradient adds.
/// One item per element.
struct FilterArgs {
  int items, c, taps;
  const void* from;
  void* to;
};

/// to[group][column][row][tap] (=|+=) from[group][row][column][tap], fp32. One item per element.
struct SwapFilterArgs {
  int items, rows, columns, taps;
  const float* from;
  float* to;
  int accumulate;
};

}  // namespace hpmp::cuda
