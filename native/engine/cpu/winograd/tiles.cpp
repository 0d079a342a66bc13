// The tiles of a Winograd convolution, and the code for this machine.
#include <dnnl.h>

#include <algorithm>

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

const Code* code_for(std::int64_t lanes) {
  const bool avx512 =
      (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
  if (avx512 && avx512_code().lanes == lanes) return &avx512_code();
  return baseline_code().lanes == lanes ? &baseline_code() : nullptr;
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

}  // namespace hpmp::cpu::winograd
