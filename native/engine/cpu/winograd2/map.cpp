#include <algorithm>

#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/gather.h"
#include "engine/cpu/winograd2/winograd2.h"

namespace hpmp::cpu::winograd2 {
namespace {

// Points of a block of tiles, for the caches; and as many tiles as make reading the weights cheap.
constexpr std::int64_t kBlockBytes = 2 << 20, kFewestTiles = 112;

std::int64_t tiles_per_block(const Shape3x3& s) {
  return std::max(kFewestTiles, kBlockBytes / (kPoints * (2 * s.in_channels + 4 * s.out_channels)));
}

}  // namespace

Tiles::Tiles(const Shape3x3& shape, std::int64_t most)
    : across_((shape.out_width + kTile - 1) / kTile),
      down_((shape.out_height + kTile - 1) / kTile),
      total_(shape.samples * across_ * down_),
      blocks_(std::max<std::int64_t>(1, (total_ + most - 1) / most)) {}

Map::Map(const Shape3x3& shape, bool transposed)
    : shape_(shape),
      tiles_(shape, tiles_per_block(shape)),
      transposed_(transposed),
      weights_(allocate_bytes(static_cast<std::int64_t>(resident_bytes()), "Winograd weights")) {}

std::size_t Map::resident_bytes() const {
  return static_cast<std::size_t>(kPoints * weight_stride()) * sizeof(Bf16);
}

std::size_t Map::scratch_bytes() const {
  return static_cast<std::size_t>(kPoints) *
         (static_cast<std::size_t>(input_stride()) * sizeof(Bf16) +
          static_cast<std::size_t>(output_stride()) * sizeof(float));
}

void Map::load(const float* weights) {
  parallel_for(out_blocks(), true, [&](std::int64_t block) { load_block(block, weights); });
}

void Map::load_block(std::int64_t block, const float* weights) const {
  const winograd::Code& plain = winograd::avx512_bf16_code();
  const std::int64_t out = block * kLanes, columns = block / 2 * 2 + 1 < out_blocks() ? 2 : 1;
  auto* to = reinterpret_cast<Bf16*>(weights_.get()) +
             (block / 2 * shape_.in_channels + block % 2) * 2 * kLanes;
  alignas(64) float taps[kLanes * 9 * kLanes];  // [in][tap][out]
  for (std::int64_t in = 0; in < shape_.in_channels; in += kLanes) {
    if (transposed_)
      winograd::gather_transposed_taps(plain, weights, shape_.out_channels, out, in, taps);
    else
      winograd::gather_taps(plain, weights, shape_.in_channels, out, in, taps);
    for (int c = 0; c < kLanes; c += 2, to += columns * 2 * kLanes) {
      avx512_bf16_code().transform_weights(taps + c * 9 * kLanes, taps + (c + 1) * 9 * kLanes, to,
                                           weight_stride());
    }
  }
}

void Map::run(const Bf16* src, Bf16* dst, const Ending& ending, std::byte* scratch) const {
  auto* inputs = reinterpret_cast<Bf16*>(scratch);
  auto* products = reinterpret_cast<float*>(inputs + kPoints * input_stride());
  const auto* weights = reinterpret_cast<const Bf16*>(weights_.get());
  for (std::int64_t block = 0; block < tiles_.blocks(); ++block) {
    transform_inputs(block, src, inputs);
    const Product product{static_cast<int>(tiles_.size(block)), static_cast<int>(in_blocks()),
                          static_cast<int>(out_blocks()), tiles_.most() * kLanes,
                          tiles_.most() * kLanes};
    parallel_for(kPoints, true, [&](std::int64_t p) {
      avx512_bf16_code().multiply(product, inputs + p * input_stride(),
                                  weights + p * weight_stride(), products + p * output_stride());
    });
    transform_outputs(block, products, ending, dst);
  }
}

void Map::transform_inputs(std::int64_t block, const Bf16* src, Bf16* points) const {
  const std::int64_t pixels = static_cast<std::int64_t>(shape_.in_height) * shape_.in_width;
  parallel_for(in_blocks(), true, [&](std::int64_t b) {
    Bf16* to = points + b * tiles_.most() * kLanes;
    for (std::int64_t t = tiles_.begin(block); t < tiles_.begin(block + 1); ++t, to += kLanes) {
      const Window window{tiles_.y(t) - shape_.pad_top, tiles_.x(t) - shape_.pad_left,
                          shape_.in_height, shape_.in_width};
      const Bf16* image = src + (tiles_.sample(t) * in_blocks() + b) * pixels * kLanes;
      avx512_bf16_code().transform_input({window, image}, to, input_stride());
    }
  });
}

void Map::transform_outputs(std::int64_t block, const float* products, const Ending& ending,
                            Bf16* dst) const {
  const std::int64_t pixels = static_cast<std::int64_t>(shape_.out_height) * shape_.out_width;
  parallel_for(out_blocks(), true, [&](std::int64_t b) {
    const float* from = products + b * tiles_.most() * kLanes;
    Ending own = ending;
    if (ending.bias) own.bias += b * kLanes;
    for (std::int64_t t = tiles_.begin(block); t < tiles_.begin(block + 1); ++t, from += kLanes) {
      const Window window{tiles_.y(t), tiles_.x(t), shape_.out_height, shape_.out_width};
      const std::int64_t at = (tiles_.sample(t) * out_blocks() + b) * pixels * kLanes;
      if (ending.addend) own.addend = static_cast<const Bf16*>(ending.addend) + at;
      avx512_bf16_code().transform_output(window, from, output_stride(), own, dst + at);
    }
  });
}

}  // namespace hpmp::cpu::winograd2
