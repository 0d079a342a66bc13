// Winograd's gradient of the weights: one product per point of the tiles of inputs and gradients.
#include <omp.h>

#include <algorithm>

#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/winograd.h"

namespace hpmp::cpu::winograd {
namespace {

// As in map.cpp; every block of tiles reads and writes all sums.
constexpr std::int64_t kBlockBytes = 4 << 20, kGroupedBlockBytes = 12 << 20, kFewestTiles = 96;
constexpr std::int64_t kGroupBytes = 5 << 19;

std::int64_t tiles_per_block(const Shape3x3& s, const Groups& groups) {
  const std::int64_t tile = kPoints * 4 * (s.in_channels + s.out_channels);
  if (!groups.kept()) return kGroupedBlockBytes / tile + 1;
  return std::max(kFewestTiles, kBlockBytes / tile);
}

}  // namespace

WeightGrad::WeightGrad(const Code& code, const Shape3x3& shape, int threads)
    : WeightGrad(code, shape, Groups(shape, code.lanes, kGroupBytes), threads) {}

WeightGrad::WeightGrad(const Code& code, const Shape3x3& shape, const Groups& groups, int threads)
    : l_(code, shape, groups, tiles_per_block(shape, groups)), threads_(threads) {}

std::size_t WeightGrad::scratch_bytes() const {
  const std::ptrdiff_t sums = l_.weight_stride() * (l_.groups.kept() ? 1 : threads_);
  return static_cast<std::size_t>(kPoints * (l_.point_stride(l_.in_blocks()) +
                                             l_.point_stride(l_.out_blocks()) + sums)) *
         sizeof(float);
}

void WeightGrad::run(const void* src, const void* grad_dst, float* grad, std::byte* scratch) const {
  auto* inputs = reinterpret_cast<float*>(scratch);
  float* grads = inputs + kPoints * l_.point_stride(l_.in_blocks());
  float* sums = grads + kPoints * l_.point_stride(l_.out_blocks());
  for (int block = 0; block < l_.tiles.blocks(); ++block) {
    l_.transform_inputs(block, static_cast<const std::byte*>(src), inputs);
    transform_outputs(block, static_cast<const std::byte*>(grad_dst), grads);
    if (l_.groups.kept()) {
      run_kept(block, inputs, grads, sums);
      continue;
    }
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t group = 0; group < l_.groups.count(); ++group) {
      float* own = sums + omp_get_thread_num() * kPoints * l_.weight_stride();
      run_group(block, group, inputs, grads, own, grad);
    }
  }
  if (!l_.groups.kept()) return;
  parallel_for(l_.out_blocks() * l_.in_blocks(), true, [&](std::int64_t i) {
    add_taps(sums, 0, i / l_.in_blocks(), i % l_.in_blocks(), grad);
  });
}

void WeightGrad::transform_outputs(int block, const std::byte* grad_dst, float* points) const {
  const std::ptrdiff_t stride = l_.point_stride(l_.out_blocks());
  auto* from = const_cast<std::byte*>(grad_dst);
  parallel_for(l_.out_blocks(), true, [&](std::int64_t b) {
    float* to = points + b * l_.block_stride();
    for (std::int64_t t = l_.tiles.begin(block); t < l_.tiles.begin(block + 1); ++t) {
      const Tiles::Place place = l_.tiles[t];
      l_.code.transform_output_grad(l_.output_window(place), l_.output(from, place.sample, b), to,
                                    stride);
      to += l_.code.lanes;
    }
  });
}

void WeightGrad::run_kept(int block, const float* inputs, const float* grads, float* sums) const {
  parallel_for(kPoints, true, [&](std::int64_t p) {
    multiply_point(block, 0, p, block > 0, inputs, grads, sums);
  });
}

void WeightGrad::run_group(int block, std::int64_t group, const float* inputs, const float* grads,
                           float* sums, float* grad) const {
  for (int p = 0; p < kPoints; ++p) multiply_point(block, group, p, false, inputs, grads, sums);
  for (std::int64_t b = 0; b < l_.groups.size(group); ++b) {
    for (std::int64_t in = 0; in < l_.in_blocks(); ++in) add_taps(sums, group, b, in, grad);
  }
}

void WeightGrad::multiply_point(int block, std::int64_t group, std::int64_t p, bool add,
                                const float* inputs, const float* grads, float* sums) const {
  const std::ptrdiff_t first = l_.groups.begin(group) * l_.block_stride();
  l_.code.multiply_grad(l_.product(block, group), add, inputs + p * l_.point_stride(l_.in_blocks()),
                        grads + p * l_.point_stride(l_.out_blocks()) + first,
                        sums + p * l_.weight_stride());
}

/// Of one block of the group's output channels and one of input channels.
void WeightGrad::add_taps(const float* sums, std::int64_t group, std::int64_t block,
                          std::int64_t in_block, float* grad) const {
  const int lanes = l_.code.lanes;
  const std::int64_t in = in_block * lanes, out = (l_.groups.begin(group) + block) * lanes;
  const std::ptrdiff_t step = l_.weight_step(group, block);
  const float* from = sums + l_.weight_at(block) + in * step;
  alignas(64) float taps[kLanes * 9 * kLanes];  // [in][tap][out]
  for (int c = 0; c < lanes; ++c, from += step)
    l_.code.transform_weight_grad(from, l_.weight_stride(), taps + c * 9 * lanes);
  for (int lane = 0; lane < lanes; ++lane) {
    float* to = grad + ((out + lane) * l_.shape.in_channels + in) * 9;
    for (int i = 0; i < 9 * lanes; ++i) to[i] += taps[i * lanes + lane];
  }
}

}  // namespace hpmp::cpu::winograd
