// The inner loops of Winograd convolution, one version per instruction set.
#pragma once

#include <cstddef>

#include "base/dtype.h"
#include "engine/cpu/bounds.h"

namespace hpmp::cpu::winograd {

constexpr int kTile = 4;     // outputs of a tile, in each direction
constexpr int kPoints = 36;  // products of a tile, per pair of channels

/// A square of pixels whose corner is (y, x), which may be outside of the image.
struct Window {
  int y, x;
  int height, width;  // of the image
};

/// The matrix product of one point. Activations are [block][tile][lane], `in_stride` and
/// `out_stride` floats from block to block; weights are [pair of output blocks][c][2 x lane], the
/// last pair [c][lane] where the number of blocks is odd.
struct Product {
  int tiles;
  int in_blocks, out_blocks;
  std::ptrdiff_t in_stride, out_stride;
};

/// What is done with outputs.
struct Ending {
  const float* bias = nullptr;   // [lane], or null
  const void* addend = nullptr;  // an image, may be the output itself; or null
  Bounds bounds;
};

/// Images are one block of channels of `dtype`, [height][width][lane]; points are floats, `stride`
/// of them apart.
struct Code {
  int lanes;
  DType dtype;
  void (*transform_input)(const Window&, const void* image, float* points, std::ptrdiff_t stride);
  void (*transform_output)(const Window&, const float* points, std::ptrdiff_t stride, const Ending&,
                           void* image);
  void (*transform_output_grad)(const Window&, const void* image, float* points,
                                std::ptrdiff_t stride);
  /// taps: [9][lane].
  void (*transform_weights)(const float* taps, float* points, std::ptrdiff_t stride);
  void (*transform_weight_grad)(const float* points, std::ptrdiff_t stride, float* taps);
  /// m = v u.
  void (*multiply)(const Product&, const float* v, const float* u, float* m);
  /// u = v^T d, or u += v^T d.
  void (*multiply_grad)(const Product&, bool add, const float* v, const float* d, float* u);
  /// to[j * to_stride + i] = from[i * stride + j] for all i, j < lanes.
  void (*transpose)(const float* from, std::ptrdiff_t stride, float* to, std::ptrdiff_t to_stride);
};

const Code& avx512_code();
const Code& avx512_bf16_code();  // of bf16 images
const Code& baseline_code();
const Code& baseline_bf16_code();  // likewise

}  // namespace hpmp::cpu::winograd
