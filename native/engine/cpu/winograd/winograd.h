// Convolutions of 3 x 3 taps by Winograd's F(4x4, 3x3): a quarter of the multiplications.
//
// Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016).
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/buffers.h"
#include "engine/cpu/winograd/code.h"

namespace hpmp::cpu::winograd {

/// A convolution of 3 x 3 taps, stride 1, one group. Channels are multiples of the lanes, and all
/// activations in blocks of as many.
struct Shape3x3 {
  std::int64_t samples = 0;
  std::int64_t in_channels = 0, out_channels = 0;
  int in_height = 0, in_width = 0;
  int out_height = 0, out_width = 0;
  int pad_top = 0, pad_left = 0;  // 0, 1 or 2

  /// The convolution that takes gradients of the output to those of the input.
  Shape3x3 transposed() const;
};

/// Where weight (out, in, tap) is: out * of_out + in * of_in + tap, or + 8 - tap.
struct WeightOrder {
  std::int64_t of_out = 0, of_in = 0;
  bool flipped = false;
};

/// The inner loops for this machine and blocks of `lanes` channels; null if there are none.
const Code* code_for(std::int64_t lanes);

/// The tiles of all samples, cut into blocks that fit the cache.
class Tiles {
 public:
  Tiles(const Shape3x3& shape, std::int64_t most);

  int blocks() const { return blocks_; }
  std::int64_t most() const { return most_; }
  std::int64_t begin(int block) const { return total_ * block / blocks_; }
  int size(int block) const { return static_cast<int>(begin(block + 1) - begin(block)); }

  struct Place {
    std::int64_t sample;
    int y, x;  // of the tile's first output
  };
  Place operator[](std::int64_t tile) const;

 private:
  int across_, down_, blocks_;
  std::int64_t total_, most_;
};

/// One direction of a convolution: forward, or gradients of outputs to gradients of inputs.
class Map {
 public:
  /// threads: as many as will run it.
  Map(const Code& code, const Shape3x3& shape, const WeightOrder& order, int threads);

  std::size_t scratch_bytes() const;
  std::size_t resident_bytes() const;
  /// Must come before `run`, and again when the weights change.
  void load(const float* weights);
  /// dst (=|+=) src * weights + bias; bias: [out_channels] or null.
  void run(const float* src, float* dst, const float* bias, bool add, std::byte* scratch) const;

 private:
  std::int64_t in_blocks() const { return shape_.in_channels / code_.lanes; }
  std::int64_t out_blocks() const { return shape_.out_channels / code_.lanes; }
  std::ptrdiff_t weight_stride() const;
  std::ptrdiff_t point_stride(std::int64_t blocks) const;
  void load_block(const float* weights, std::int64_t out_block);
  void gather_taps(const float* weights, std::int64_t out_block, std::int64_t in,
                   float* taps) const;
  void run_block(int block, const float* src, float* dst, const float* bias, bool add,
                 float* points) const;
  void transform_inputs(int block, const float* src, float* points) const;
  void transform_outputs(int block, const float* points, const float* bias, bool add,
                         float* dst) const;

  const Code& code_;
  Shape3x3 shape_;
  WeightOrder order_;
  int threads_;
  Tiles tiles_;
  AlignedBytes weights_;  // [point][c][k], see Product
};

/// The gradient of the weights.
class WeightGrad {
 public:
  WeightGrad(const Code& code, const Shape3x3& shape);

  std::size_t scratch_bytes() const;
  /// grad += its part of these samples; [out_channels][in_channels][3][3].
  void run(const float* src, const float* grad_dst, float* grad, std::byte* scratch) const;

 private:
  std::int64_t in_blocks() const { return shape_.in_channels / code_.lanes; }
  std::int64_t out_blocks() const { return shape_.out_channels / code_.lanes; }
  std::ptrdiff_t weight_stride() const;
  std::ptrdiff_t point_stride(std::int64_t blocks) const;
  void transform_block(int block, const float* src, const float* grad_dst, float* inputs,
                       float* grads) const;
  void add_taps(const float* points, std::int64_t out_block, std::int64_t in_block,
                float* grad) const;

  const Code& code_;
  Shape3x3 shape_;
  Tiles tiles_;
};

}  // namespace hpmp::cpu::winograd
