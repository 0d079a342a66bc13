// Winograd's convolution of activations: tiles to points, one product per point, points to tiles.
#include <omp.h>

#include <algorithm>

#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/winograd.h"

namespace hpmp::cpu::winograd {
namespace {

// Points of a block of tiles that the caches keep between two uses, in bytes, and the tiles that a
// block needs to be worth reading all weights for.
constexpr std::int64_t kBlockBytes = 2 << 20, kFewestTiles = 56;

std::int64_t tiles_per_block(const Shape3x3& s, int threads) {
  const std::int64_t tile_bytes = kPoints * 4 * (s.in_channels + s.out_channels);
  const std::int64_t most = std::max(kFewestTiles, kBlockBytes / tile_bytes);
  const std::int64_t total = Tiles(s, 1).blocks();
  return std::max<std::int64_t>(1, std::min(most, (total + threads - 1) / threads));
}

}  // namespace

Map::Map(const Code& code, const Shape3x3& shape, const WeightOrder& order, int threads)
    : code_(code),
      shape_(shape),
      order_(order),
      threads_(threads),
      tiles_(shape, tiles_per_block(shape, threads)),
      weights_(allocate_bytes(static_cast<std::int64_t>(resident_bytes()), "Winograd weights")) {}

/// A line more than the points need, so that the same tile of all points is not in one cache set.
std::ptrdiff_t Map::point_stride(std::int64_t blocks) const {
  return (blocks * tiles_.most() + 1) * code_.lanes;
}

std::ptrdiff_t Map::weight_stride() const {
  return shape_.in_channels * shape_.out_channels + code_.lanes;
}

std::size_t Map::resident_bytes() const {
  return static_cast<std::size_t>(kPoints * weight_stride()) * sizeof(float);
}

std::size_t Map::scratch_bytes() const {
  const std::ptrdiff_t floats = kPoints * (point_stride(in_blocks()) + point_stride(out_blocks()));
  return static_cast<std::size_t>(threads_ * floats) * sizeof(float);
}

void Map::load(const float* weights) {
  parallel_for(out_blocks(), true, [&](std::int64_t block) { load_block(weights, block); });
}

void Map::gather_taps(const float* weights, std::int64_t out_block, std::int64_t in,
                      float* taps) const {
  const int lanes = code_.lanes;
  for (int lane = 0; lane < lanes; ++lane) {
    const float* from = weights + (out_block * lanes + lane) * order_.of_out + in * order_.of_in;
    for (int j = 0; j < 9; ++j) taps[j * lanes + lane] = from[order_.flipped ? 8 - j : j];
  }
}

void Map::load_block(const float* weights, std::int64_t out_block) {
  const int lanes = code_.lanes;
  const std::int64_t pair = out_block / 2 * 2;
  const int width = pair + 1 < out_blocks() ? 2 * lanes : lanes;
  float* to = reinterpret_cast<float*>(weights_.get()) + pair * lanes * shape_.in_channels +
              (out_block - pair) * lanes;
  alignas(64) float taps[9 * 16];
  for (std::int64_t in = 0; in < shape_.in_channels; ++in) {
    gather_taps(weights, out_block, in, taps);
    code_.transform_weights(taps, to + in * width, weight_stride());
  }
}

void Map::run(const float* src, float* dst, const float* bias, bool add, std::byte* scratch) const {
  const std::ptrdiff_t each = kPoints * (point_stride(in_blocks()) + point_stride(out_blocks()));
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (int block = 0; block < tiles_.blocks(); ++block) {
    float* points = reinterpret_cast<float*>(scratch) + omp_get_thread_num() * each;
    run_block(block, src, dst, bias, add, points);
  }
}

void Map::run_block(int block, const float* src, float* dst, const float* bias, bool add,
                    float* points) const {
  const std::ptrdiff_t from = point_stride(in_blocks()), to = point_stride(out_blocks());
  float* products = points + kPoints * from;
  transform_inputs(block, src, points);
  const Product product{tiles_.size(block), static_cast<int>(in_blocks()),
                        static_cast<int>(out_blocks()), tiles_.most() * code_.lanes,
                        tiles_.most() * code_.lanes};
  const auto* weights = reinterpret_cast<const float*>(weights_.get());
  for (int p = 0; p < kPoints; ++p)
    code_.multiply(product, points + p * from, weights + p * weight_stride(), products + p * to);
  transform_outputs(block, products, bias, add, dst);
}

void Map::transform_inputs(int block, const float* src, float* points) const {
  const std::ptrdiff_t image =
      static_cast<std::ptrdiff_t>(shape_.in_height) * shape_.in_width * code_.lanes;
  const std::ptrdiff_t stride = point_stride(in_blocks());
  for (std::int64_t b = 0; b < in_blocks(); ++b) {
    float* to = points + b * tiles_.most() * code_.lanes;
    for (std::int64_t t = tiles_.begin(block); t < tiles_.begin(block + 1);
         ++t, to += code_.lanes) {
      const Tiles::Place place = tiles_[t];
      const Window window{place.y - shape_.pad_top, place.x - shape_.pad_left, shape_.in_height,
                          shape_.in_width};
      code_.transform_input(window, src + (place.sample * in_blocks() + b) * image, to, stride);
    }
  }
}

void Map::transform_outputs(int block, const float* points, const float* bias, bool add,
                            float* dst) const {
  const std::ptrdiff_t image =
      static_cast<std::ptrdiff_t>(shape_.out_height) * shape_.out_width * code_.lanes;
  const std::ptrdiff_t stride = point_stride(out_blocks());
  for (std::int64_t b = 0; b < out_blocks(); ++b) {
    const float* from = points + b * tiles_.most() * code_.lanes;
    const float* shift = bias == nullptr ? nullptr : bias + b * code_.lanes;
    for (std::int64_t t = tiles_.begin(block); t < tiles_.begin(block + 1);
         ++t, from += code_.lanes) {
      const Tiles::Place place = tiles_[t];
      const Window window{place.y, place.x, shape_.out_height, shape_.out_width};
      code_.transform_output(window, from, stride, shift, add,
                             dst + (place.sample * out_blocks() + b) * image);
    }
  }
}

}  // namespace hpmp::cpu::winograd
