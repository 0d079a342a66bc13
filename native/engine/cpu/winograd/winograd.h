// Convolutions of 3 x 3 taps by Winograd's F(4x4, 3x3): a quarter of the multiplications.
//
// Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016).
#pragma once

#include <algorithm>
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

/// The inner loops for this machine and blocks of `lanes` channels of `dtype`; null if there are
/// none.
const Code* code_for(std::int64_t lanes, DType dtype);

/// The tiles of all samples, cut into blocks that fit the cache.
class Tiles {
 public:
  Tiles(const Shape3x3& shape, std::int64_t most);

  std::int64_t total() const { return total_; }
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

/// Output channels in groups whose transformed weights fit a cache. Where there is one group these
/// weights are kept; else they are made again for every block of tiles, which is cheaper than
/// memory.
class Groups {
 public:
  /// bytes: of the weights of a group.
  Groups(const Shape3x3& shape, int lanes, std::int64_t bytes);

  std::int64_t count() const { return (blocks_ + size_ - 1) / size_; }
  bool kept() const { return count() == 1; }
  std::int64_t begin(std::int64_t group) const { return group * size_; }
  std::int64_t size(std::int64_t group) const { return std::min(size_, blocks_ - begin(group)); }
  std::int64_t most() const { return std::min(size_, blocks_); }

 private:
  std::int64_t blocks_, size_;  // of lanes; size_ is even
};

/// What both directions and the gradient of the weights share: sizes in floats, for 64-byte lines.
class Layout {
 public:
  Layout(const Code& code, const Shape3x3& shape, const Groups& groups,
         std::int64_t tiles_per_block);

  std::int64_t in_blocks() const { return shape.in_channels / code.lanes; }
  std::int64_t out_blocks() const { return shape.out_channels / code.lanes; }
  /// From a block of channels of one point to the next.
  std::ptrdiff_t block_stride() const { return tiles.most() * code.lanes; }
  /// From point to point; a line more than the points need, so that a tile's points do not fall
  /// into one cache set.
  std::ptrdiff_t point_stride(std::int64_t blocks) const {
    return (blocks * tiles.most() + 1) * code.lanes;
  }
  /// From point to point of the weights of one group.
  std::ptrdiff_t weight_stride() const {
    return (shape.in_channels * groups.most() + 1) * code.lanes;
  }
  /// Where, in a group's weights, lanes of the group's block are for the first input channel.
  std::ptrdiff_t weight_at(std::int64_t block) const {
    return (block / 2 * 2 * shape.in_channels + block % 2) * code.lanes;
  }
  /// From one input channel to the next.
  std::ptrdiff_t weight_step(std::int64_t group, std::int64_t block) const {
    return block / 2 * 2 + 1 < groups.size(group) ? 2 * code.lanes : code.lanes;
  }
  Product product(int block, std::int64_t group) const;
  Window input_window(const Tiles::Place& place) const;
  Window output_window(const Tiles::Place& place) const;
  /// One block of channels of a sample.
  const std::byte* input(const std::byte* src, std::int64_t sample, std::int64_t block) const;
  std::byte* output(std::byte* dst, std::int64_t sample, std::int64_t block) const;
  /// All points of a block of tiles.
  void transform_inputs(int block, const std::byte* src, float* points) const;

  const Code& code;
  Shape3x3 shape;
  Tiles tiles;
  Groups groups;
};

/// One direction of a convolution: forward, or gradients of outputs to gradients of inputs.
class Map {
 public:
  /// threads: as many as will run it. transposed: the weights are those of the convolution whose
  /// transpose this is.
  Map(const Code& code, const Shape3x3& shape, bool transposed, int threads);

  /// Whether the transformed weights fit the cache.
  static bool keeps_weights(const Shape3x3& shape, int lanes);
  std::size_t scratch_bytes() const;
  std::size_t resident_bytes() const;
  /// Must come before `run`, and again when the weights change; they stay where they are.
  /// weights: [channels of the output][of the input][3][3] of the convolution.
  void load(const float* weights);
  /// dst = src * weights, ended so; the ending's bias is [out_channels], its addend like dst.
  void run(const void* src, void* dst, const Ending& ending, std::byte* scratch) const;

 private:
  Map(const Code& code, const Shape3x3& shape, const Groups& groups, bool transposed, int threads);
  void transform_weights(std::int64_t group, std::int64_t block, float* points) const;
  void multiply_point(int block, std::int64_t group, std::int64_t p, const float* inputs,
                      const float* weights, float* products) const;
  void run_kept(int block, const float* inputs, float* products) const;
  void run_group(int block, std::int64_t group, const float* inputs, float* weights,
                 float* products) const;
  void transform_output(int block, std::int64_t group, std::int64_t in_group, const float* products,
                        const Ending& ending, std::byte* dst) const;

  Layout l_;
  bool transposed_;
  int threads_;
  const float* plain_ = nullptr;
  AlignedBytes kept_;  // [point][pair of blocks][c][k]; see Product
};

/// The gradient of the weights.
class WeightGrad {
 public:
  WeightGrad(const Code& code, const Shape3x3& shape, int threads);

  std::size_t scratch_bytes() const;
  /// grad += its part of these samples; [out_channels][in_channels][3][3].
  void run(const void* src, const void* grad_dst, float* grad, std::byte* scratch) const;

 private:
  WeightGrad(const Code& code, const Shape3x3& shape, const Groups& groups, int threads);
  void transform_outputs(int block, const std::byte* grad_dst, float* points) const;
  void multiply_point(int block, std::int64_t group, std::int64_t p, bool add, const float* inputs,
                      const float* grads, float* sums) const;
  void run_kept(int block, const float* inputs, const float* grads, float* sums) const;
  void run_group(int block, std::int64_t group, const float* inputs, const float* grads,
                 float* sums, float* grad) const;
  void add_taps(const float* sums, std::int64_t group, std::int64_t block, std::int64_t in_block,
                float* grad) const;

  Layout l_;
  int threads_;
};

}  // namespace hpmp::cpu::winograd
