// How a Winograd convolution is cut to fit the caches, and the code for this machine.
#include <algorithm>

#include "engine/cpu/isa.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/winograd.h"

namespace hpmp::cpu::winograd {

Shape3x3 Shape3x3::transposed() const {
  Shape3x3 t;
  t.samples = samples;
  t.in_channels = out_channels;
  t.out_channels = in_channels;
  t.in_height = out_height;
  t.in_width = out_width;
  t.out_height = in_height;
  t.out_width = in_width;
  t.pad_top = 2 - pad_top;
  t.pad_left = 2 - pad_left;
  return t;
}

const Code* code_for(std::int64_t lanes, DType dtype) {
  const bool bf16 = dtype == DType::bf16;
  const Code& narrow = bf16 ? baseline_bf16_code() : baseline_code();
  if (narrow.lanes == lanes) return &narrow;
  if (!(bf16 ? has_avx512_bf16() : has_avx512())) return nullptr;
  const Code& wide = bf16 ? avx512_bf16_code() : avx512_code();
  return wide.lanes == lanes ? &wide : nullptr;
}

Tiles::Tiles(const Shape3x3& shape, std::int64_t most)
    : across_((shape.out_width + kTile - 1) / kTile),
      down_((shape.out_height + kTile - 1) / kTile),
      total_(shape.samples * across_ * down_) {
  blocks_ = static_cast<int>((total_ + most - 1) / std::max<std::int64_t>(most, 1));
  most_ = blocks_ == 0 ? 0 : (total_ + blocks_ - 1) / blocks_;
}

Tiles::Place Tiles::operator[](std::int64_t tile) const {
  const std::int64_t per_sample = static_cast<std::int64_t>(across_) * down_;
  const auto within = static_cast<int>(tile % per_sample);
  return {tile / per_sample, within / across_ * kTile, within % across_ * kTile};
}

Groups::Groups(const Shape3x3& shape, int lanes, std::int64_t bytes)
    : blocks_(shape.out_channels / lanes) {
  const std::int64_t pair = kPoints * shape.in_channels * 2 * lanes * 4;
  size_ = std::max<std::int64_t>(1, bytes / pair) * 2;
}

Layout::Layout(const Code& c, const Shape3x3& s, const Groups& g, std::int64_t tiles_per_block)
    : code(c), shape(s), tiles(s, tiles_per_block), groups(g) {}

Product Layout::product(int block, std::int64_t group) const {
  return {tiles.size(block), static_cast<int>(in_blocks()), static_cast<int>(groups.size(group)),
          block_stride(), block_stride()};
}

Window Layout::input_window(const Tiles::Place& place) const {
  return {place.y - shape.pad_top, place.x - shape.pad_left, shape.in_height, shape.in_width};
}

Window Layout::output_window(const Tiles::Place& place) const {
  return {place.y, place.x, shape.out_height, shape.out_width};
}

const std::byte* Layout::input(const std::byte* src, std::int64_t sample,
                               std::int64_t block) const {
  const std::int64_t pixels = static_cast<std::int64_t>(shape.in_height) * shape.in_width;
  return src + (sample * in_blocks() + block) * pixels * code.lanes * elem_bytes(code.dtype);
}

std::byte* Layout::output(std::byte* dst, std::int64_t sample, std::int64_t block) const {
  const std::int64_t pixels = static_cast<std::int64_t>(shape.out_height) * shape.out_width;
  return dst + (sample * out_blocks() + block) * pixels * code.lanes * elem_bytes(code.dtype);
}

void Layout::transform_inputs(int block, const std::byte* src, float* points) const {
  const std::ptrdiff_t stride = point_stride(in_blocks());
  parallel_for(in_blocks(), true, [&](std::int64_t b) {
    float* to = points + b * block_stride();
    for (std::int64_t t = tiles.begin(block); t < tiles.begin(block + 1); ++t, to += code.lanes) {
      const Tiles::Place place = tiles[t];
      code.transform_input(input_window(place), input(src, place.sample, b), to, stride);
    }
  });
}

}  // namespace hpmp::cpu::winograd
