// The inner loops of Winograd's F(2x2, 3x3) with bf16 products; for AVX512-BF16 alone.
#pragma once

#include <cstddef>

#include "engine/bf16.h"
#include "engine/cpu/winograd/code.h"

namespace hpmp::cpu::winograd2 {

constexpr int kTile = 2;     // outputs of a tile, in each direction
constexpr int kPoints = 16;  // products of a tile, per pair of channels
constexpr int kLanes = 16;

using winograd::Ending;
using winograd::Window;

/// The matrix product of one point. Activations are [block][tile][lane], weights [pair of output
/// blocks][pair of c][block of the pair][lane][2], the last pair of one block where their number is
/// odd. Strides in elements, from block to block.
struct Product {
  int tiles;
  int in_blocks, out_blocks;
  std::ptrdiff_t in_stride, out_stride;
};

/// The gradient of the weights of two output blocks, or one, at one point. Both operands are
/// [block][pair of tiles][lane][2].
struct GradProduct {
  int pairs;
  int in_blocks, out_blocks;
  std::ptrdiff_t stride;  // of both
};

/// A tile: its window and the block of channels of its sample.
struct Place {
  Window window;
  const Bf16* image;  // [height][width][lane]; null: all zeros
};

/// Points are `stride` elements apart.
struct Code {
  void (*transform_input)(const Place& place, Bf16* points, std::ptrdiff_t stride);
  /// [lane][2] of two tiles.
  void (*transform_input_pair)(const Place* places, Bf16* points, std::ptrdiff_t stride);
  void (*transform_output_grad_pair)(const Place* places, Bf16* points, std::ptrdiff_t stride);
  void (*transform_output)(const Window&, const float* points, std::ptrdiff_t stride, const Ending&,
                           Bf16* image);
  /// taps: [9][lane] of two input channels.
  void (*transform_weights)(const float* first, const float* second, Bf16* points,
                            std::ptrdiff_t stride);
  void (*transform_weight_grad)(const float* points, std::ptrdiff_t stride, float* taps);
  /// m = v u.
  void (*multiply)(const Product&, const Bf16* v, const Bf16* u, float* m);
  /// u[c][block][lane] = v^T d.
  void (*multiply_grad)(const GradProduct&, const Bf16* v, const Bf16* d, float* u);
};

const Code& avx512_bf16_code();

}  // namespace hpmp::cpu::winograd2
