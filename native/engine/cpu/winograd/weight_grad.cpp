// Winograd's gradient of the weights: one product per point of the tiles of inputs and gradients.
#include <algorithm>

#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/winograd.h"

namespace hpmp::cpu::winograd {
namespace {

// As in map.cpp; every block reads and writes all sums.
constexpr std::int64_t kBlockBytes = 4 << 20, kFewestTiles = 96;

std::int64_t tiles_per_block(const Shape3x3& s) {
  return std::max(kFewestTiles, kBlockBytes / (kPoints * 4 * (s.in_channels + s.out_channels)));
}

}  // namespace

WeightGrad::WeightGrad(const Code& code, const Shape3x3& shape)
    : code_(code), shape_(shape), tiles_(shape, tiles_per_block(shape)) {}

std::ptrdiff_t WeightGrad::point_stride(std::int64_t blocks) const {
  return (blocks * tiles_.most() + 1) * code_.lanes;
}

std::ptrdiff_t WeightGrad::weight_stride() const {
  return shape_.in_channels * shape_.out_channels + code_.lanes;
}

std::size_t WeightGrad::scratch_bytes() const {
  const std::ptrdiff_t floats =
      kPoints * (point_stride(in_blocks()) + point_stride(out_blocks()) + weight_stride());
  return static_cast<std::size_t>(floats) * sizeof(float);
}

void WeightGrad::run(const float* src, const float* grad_dst, float* grad,
                     std::byte* scratch) const {
  const std::ptrdiff_t in = point_stride(in_blocks()), out = point_stride(out_blocks());
  auto* inputs = reinterpret_cast<float*>(scratch);
  float *grads = inputs + kPoints * in, *sums = grads + kPoints * out;
  for (int block = 0; block < tiles_.blocks(); ++block) {
    transform_block(block, src, grad_dst, inputs, grads);
    const Product product{tiles_.size(block), static_cast<int>(in_blocks()),
                          static_cast<int>(out_blocks()), tiles_.most() * code_.lanes,
                          tiles_.most() * code_.lanes};
    parallel_for(kPoints, true, [&](std::int64_t p) {
      code_.multiply_grad(product, block > 0, inputs + p * in, grads + p * out,
                          sums + p * weight_stride());
    });
  }
  parallel_for(out_blocks() * in_blocks(), true,
               [&](std::int64_t i) { add_taps(sums, i / in_blocks(), i % in_blocks(), grad); });
}

void WeightGrad::transform_block(int block, const float* src, const float* grad_dst, float* inputs,
                                 float* grads) const {
  const auto pixels = [&](int height, int width) {
    return static_cast<std::ptrdiff_t>(height) * width * code_.lanes;
  };
  parallel_for(in_blocks() + out_blocks(), true, [&](std::int64_t i) {
    const bool input = i < in_blocks();
    const std::int64_t b = input ? i : i - in_blocks();
    const std::int64_t blocks = input ? in_blocks() : out_blocks();
    const int height = input ? shape_.in_height : shape_.out_height;
    const int width = input ? shape_.in_width : shape_.out_width;
    float* to = (input ? inputs : grads) + b * tiles_.most() * code_.lanes;
    for (std::int64_t t = tiles_.begin(block); t < tiles_.begin(block + 1);
         ++t, to += code_.lanes) {
      const Tiles::Place place = tiles_[t];
      const float* image =
          (input ? src : grad_dst) + (place.sample * blocks + b) * pixels(height, width);
      if (input) {
        const Window window{place.y - shape_.pad_top, place.x - shape_.pad_left, height, width};
        code_.transform_input(window, image, to, point_stride(blocks));
      } else {
        code_.transform_output_grad({place.y, place.x, height, width}, image, to,
                                    point_stride(blocks));
      }
    }
  });
}

void WeightGrad::add_taps(const float* points, std::int64_t out_block, std::int64_t in_block,
                          float* grad) const {
  const int lanes = code_.lanes;
  const std::int64_t pair = out_block / 2 * 2, in = in_block * lanes;
  const int width = pair + 1 < out_blocks() ? 2 * lanes : lanes;
  const float* from = points + pair * lanes * shape_.in_channels + (out_block - pair) * lanes;
  alignas(64) float taps[16 * 9 * 16];  // [in][9][out]
  for (int c = 0; c < lanes; ++c)
    code_.transform_weight_grad(from + (in + c) * width, weight_stride(), taps + c * 9 * lanes);
  for (int lane = 0; lane < lanes; ++lane) {
    float* to = grad + ((out_block * lanes + lane) * shape_.in_channels + in) * 9;
    for (int i = 0; i < 9 * lanes; ++i) to[i] += taps[i * lanes + lane];
  }
}

}  // namespace hpmp::cpu::winograd
