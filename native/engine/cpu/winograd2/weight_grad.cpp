#include <omp.h>

#include <algorithm>

#include "engine/cpu/loops.h"
#include "engine/cpu/winograd2/winograd2.h"

namespace hpmp::cpu::winograd2 {
namespace {

// Points of a block of tiles; every block reads and writes all gradients.
constexpr std::int64_t kBlockBytes = 6 << 20;

std::int64_t tiles_per_block(const Shape3x3& s) {
  return std::max<std::int64_t>(64, kBlockBytes / (kPoints * 2 * (s.in_channels + s.out_channels)));
}

}  // namespace

WeightGrad::WeightGrad(const Shape3x3& shape, int threads)
    : shape_(shape), tiles_(shape, tiles_per_block(shape)), threads_(threads) {}

std::size_t WeightGrad::scratch_bytes() const {
  const auto points = static_cast<std::size_t>(stride(in_blocks()) + stride(out_blocks()));
  return kPoints * (points * sizeof(Bf16) +
                    static_cast<std::size_t>(threads_ * sum_stride()) * sizeof(float));
}

void WeightGrad::run(const Bf16* src, const Bf16* grad_dst, float* grad, std::byte* scratch) const {
  auto* inputs = reinterpret_cast<Bf16*>(scratch);
  Bf16* grads = inputs + kPoints * stride(in_blocks());
  auto* sums = reinterpret_cast<float*>(grads + kPoints * stride(out_blocks()));
  for (std::int64_t block = 0; block < tiles_.blocks(); ++block) {
    transform_inputs(block, src, inputs);
    transform_grads(block, grad_dst, grads);
    parallel_for((out_blocks() + 1) / 2, threads_ > 1, [&](std::int64_t group) {
      float* own = sums + omp_get_thread_num() * kPoints * sum_stride();
      add_group(block, 2 * group, inputs, grads, own, grad);
    });
  }
}

void WeightGrad::transform_inputs(std::int64_t block, const Bf16* src, Bf16* points) const {
  const std::int64_t pixels = static_cast<std::int64_t>(shape_.in_height) * shape_.in_width;
  const std::int64_t end = tiles_.begin(block + 1);
  parallel_for(in_blocks(), true, [&](std::int64_t b) {
    const auto place = [&](std::int64_t t) -> Place {
      if (t >= end) return {{}, nullptr};
      return {{tiles_.y(t) - shape_.pad_top, tiles_.x(t) - shape_.pad_left, shape_.in_height,
               shape_.in_width},
              src + (tiles_.sample(t) * in_blocks() + b) * pixels * kLanes};
    };
    Bf16* to = points + b * block_stride();
    for (std::int64_t t = tiles_.begin(block); t < end; t += 2, to += 2 * kLanes) {
      const Place places[2] = {place(t), place(t + 1)};
      avx512_bf16_code().transform_input_pair(places, to, stride(in_blocks()));
    }
  });
}

void WeightGrad::transform_grads(std::int64_t block, const Bf16* grad_dst, Bf16* points) const {
  const std::int64_t pixels = static_cast<std::int64_t>(shape_.out_height) * shape_.out_width;
  const std::int64_t end = tiles_.begin(block + 1);
  parallel_for(out_blocks(), true, [&](std::int64_t b) {
    const auto place = [&](std::int64_t t) -> Place {
      if (t >= end) return {{}, nullptr};
      return {{tiles_.y(t), tiles_.x(t), shape_.out_height, shape_.out_width},
              grad_dst + (tiles_.sample(t) * out_blocks() + b) * pixels * kLanes};
    };
    Bf16* to = points + b * block_stride();
    for (std::int64_t t = tiles_.begin(block); t < end; t += 2, to += 2 * kLanes) {
      const Place places[2] = {place(t), place(t + 1)};
      avx512_bf16_code().transform_output_grad_pair(places, to, stride(out_blocks()));
    }
  });
}

/// Of the output blocks `first` and, if there is one, the next.
void WeightGrad::add_group(std::int64_t block, std::int64_t first, const Bf16* inputs,
                           const Bf16* grads, float* sums, float* grad) const {
  const std::int64_t columns = std::min<std::int64_t>(2, out_blocks() - first);
  const GradProduct product{static_cast<int>((tiles_.size(block) + 1) / 2),
                            static_cast<int>(in_blocks()), static_cast<int>(columns),
                            block_stride()};
  for (int p = 0; p < kPoints; ++p) {
    avx512_bf16_code().multiply_grad(product, inputs + p * stride(in_blocks()),
                                     grads + p * stride(out_blocks()) + first * block_stride(),
                                     sums + p * sum_stride());
  }
  for (std::int64_t n = 0; n < columns; ++n) {
    for (std::int64_t in = 0; in < in_blocks(); ++in)
      add_taps(sums + n * kLanes, columns, (first + n) * kLanes, in, grad);
  }
}

/// Of 16 output channels from `out` and one block of input channels.
void WeightGrad::add_taps(const float* sums, std::int64_t columns, std::int64_t out,
                          std::int64_t in_block, float* grad) const {
  const std::ptrdiff_t step = columns * kLanes;
  const float* from = sums + in_block * kLanes * step;
  alignas(64) float taps[kLanes * 9 * kLanes];    // [in][tap][out]
  alignas(64) float turned[kLanes * 9 * kLanes];  // [out][in][tap]
  for (int c = 0; c < kLanes; ++c, from += step)
    avx512_bf16_code().transform_weight_grad(from, sum_stride(), taps + c * 9 * kLanes);
  for (int i = 0; i < 9; ++i) {
    winograd::avx512_bf16_code().transpose(taps + i * kLanes * kLanes, kLanes, turned + i * kLanes,
                                           9 * kLanes);
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    float* to = grad + ((out + lane) * shape_.in_channels + in_block * kLanes) * 9;
    const float* part = turned + lane * 9 * kLanes;
#pragma omp simd
    for (int i = 0; i < 9 * kLanes; ++i) to[i] += part[i];
  }
}

}  // namespace hpmp::cpu::winograd2
