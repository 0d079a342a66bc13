// Convolutions of 3 x 3 taps by Winograd's F(2x2, 3x3) with bf16 products: 2.25 times fewer
// multiplications, whose rounding costs about as much as that of the activations themselves. (That
// of F(4x4), with the same products, costs six times as much.)
#pragma once

#include "engine/cpu/winograd/winograd.h"
#include "engine/cpu/winograd2/code.h"

namespace hpmp::cpu::winograd2 {

using winograd::Shape3x3;

/// The tiles of all samples, cut into blocks.
class Tiles {
 public:
  Tiles(const Shape3x3& shape, std::int64_t most);

  std::int64_t total() const { return total_; }
  std::int64_t blocks() const { return blocks_; }
  std::int64_t most() const { return (total_ + blocks_ - 1) / blocks_; }
  std::int64_t begin(std::int64_t block) const { return total_ * block / blocks_; }
  std::int64_t size(std::int64_t block) const { return begin(block + 1) - begin(block); }

  std::int64_t sample(std::int64_t tile) const { return tile / (across_ * down_); }
  int y(std::int64_t tile) const {
    return static_cast<int>(tile % (across_ * down_) / across_) * kTile;
  }
  int x(std::int64_t tile) const { return static_cast<int>(tile % across_) * kTile; }

 private:
  std::int64_t across_, down_, total_, blocks_;
};

/// One direction of a convolution: forward, or gradients of outputs to gradients of inputs. Only
/// where the processor has AVX512-BF16, with channels in blocks of 16.
class Map {
 public:
  Map(const Shape3x3& shape, bool transposed);

  std::size_t scratch_bytes() const;
  std::size_t resident_bytes() const;
  /// As winograd::Map's.
  void load(const float* weights);
  void run(const Bf16* src, Bf16* dst, const Ending& ending, std::byte* scratch) const;

 private:
  std::int64_t in_blocks() const { return shape_.in_channels / kLanes; }
  std::int64_t out_blocks() const { return shape_.out_channels / kLanes; }
  // From point to point, in elements; a line more than is needed, so that points do not fall into
  // one cache set.
  std::ptrdiff_t input_stride() const { return (in_blocks() * tiles_.most() + 2) * kLanes; }
  std::ptrdiff_t output_stride() const { return (out_blocks() * tiles_.most() + 1) * kLanes; }
  std::ptrdiff_t weight_stride() const {
    return shape_.in_channels * shape_.out_channels + 2 * kLanes;
  }
  void load_block(std::int64_t block, const float* weights) const;
  void transform_inputs(std::int64_t block, const Bf16* src, Bf16* points) const;
  void transform_outputs(std::int64_t block, const float* products, const Ending& ending,
                         Bf16* dst) const;

  Shape3x3 shape_;
  Tiles tiles_;
  bool transposed_;
  AlignedBytes weights_;  // [point], each as in Product
};

/// The gradient of the weights.
class WeightGrad {
 public:
  WeightGrad(const Shape3x3& shape, int threads);

  std::size_t scratch_bytes() const;
  /// grad += its part of these samples; [out_channels][in_channels][3][3].
  void run(const Bf16* src, const Bf16* grad_dst, float* grad, std::byte* scratch) const;

 private:
  std::int64_t in_blocks() const { return shape_.in_channels / kLanes; }
  std::int64_t out_blocks() const { return shape_.out_channels / kLanes; }
  std::int64_t pairs() const { return (tiles_.most() + 1) / 2; }
  std::ptrdiff_t block_stride() const { return pairs() * 2 * kLanes; }
  std::ptrdiff_t stride(std::int64_t blocks) const { return blocks * block_stride() + 2 * kLanes; }
  std::ptrdiff_t sum_stride() const { return (2 * shape_.in_channels + 1) * kLanes; }
  void transform_inputs(std::int64_t block, const Bf16* src, Bf16* points) const;
  void transform_grads(std::int64_t block, const Bf16* grad_dst, Bf16* points) const;
  void add_group(std::int64_t block, std::int64_t first, const Bf16* inputs, const Bf16* grads,
                 float* sums, float* grad) const;
  void add_taps(const float* sums, std::int64_t columns, std::int64_t out, std::int64_t in_block,
                float* grad) const;

  Shape3x3 shape_;
  Tiles tiles_;
  int threads_;
};

}  // namespace hpmp::cpu::winograd2
