// Arguments of the pools: one item per vector of output channels forward, of input ones backward.
#pragma once

namespace hpmp::cuda {

/// Of one axis: extents, and a window's taps in the input.
struct PoolAxis {
  int input, output, kernel, stride, pad, pad_after, dilation;
};

/// x: [n][rows.input][columns.input][c]; winners: pixel of the input, -1 where no gradient passes.
struct MaxPoolArgs {
  int items, c;
  PoolAxis rows, columns;
  float low, high;
  const void* x;
  void* y;
  int* winners;  // null in inference
};

struct MaxPoolGradArgs {
  int items, c;
  PoolAxis rows, columns;
  const void* dy;
  const int* winners;
  void* dx;
  int accumulate;
};

/// Forward from x to y, backward from dy to dx.
struct AveragePoolArgs {
  int items, c, include_pad;
  PoolAxis rows, columns;
  const void* from;
  void* to;
  int accumulate;
};

/// dx (=|+=) factor dy[sample] for every pixel.
struct SpreadArgs {
  int items, c, pixels;
  float factor;
  const void* dy;
  void* dx;
  int accumulate;
};

}  // namespace hpmp::cuda
