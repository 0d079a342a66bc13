// Where items stand in [n][h][w][c], and which inputs a window covers.
#pragma once

#include "engine/cuda/kernels/pool.h"
#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

/// Where item i stands in [n][h][w][c].
struct PixelPlace {
  int channel, w, h, n;
};

template <int V>
HPMP_DEVICE PixelPlace pixel_place(int i, int c, int height, int width) {
  const int vectors = c / V, row = i / vectors;
  return {i % vectors * V, row % width, row / width % height, row / width / height};
}

/// The taps [first, last) of output position `o` that fall inside [0, size).
struct Taps {
  int begin, first, last;
  HPMP_DEVICE int count() const { return last > first ? last - first : 0; }
};

HPMP_DEVICE Taps taps_inside(const PoolAxis& a, int o, int size) {
  const int begin = o * a.stride - a.pad;
  const int first = begin >= 0 ? 0 : (-begin + a.dilation - 1) / a.dilation;
  const int room = size - begin;  // taps at offsets below this
  const int most = room <= 0 ? 0 : (room - 1) / a.dilation + 1;
  return {begin, first, most < a.kernel ? most : a.kernel};
}

/// The output position whose tap `t` is input position `at`; -1: none.
HPMP_DEVICE int output_of(const PoolAxis& a, int at, int t) {
  const int scaled = at + a.pad - t * a.dilation;
  if (scaled < 0 || scaled % a.stride != 0) return -1;
  const int o = scaled / a.stride;
  return o < a.output ? o : -1;
}

}  // namespace hpmp::cuda
