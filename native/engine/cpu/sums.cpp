// The two loops over pixels of a chunk, accumulators held in registers.
#include "engine/cpu/sums.h"

#include <algorithm>
#include <cstring>

#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

using Float4 = float __attribute__((vector_size(16)));
using Double4 = double __attribute__((vector_size(32)));

Double4 load(const float* x) {
  Float4 v;
  std::memcpy(&v, x, sizeof v);
  return __builtin_convertvector(v, Double4);
}
Double4 load(const Bf16* x) { return Double4{x[0], x[1], x[2], x[3]}; }

/// Four channels; two such run side by side per cache line half.
template <int kVectors, class T>
void vector_sums(const ChunkView& view, const T* a, const T* b, const float* center, double* first,
                 double* second) {
  Double4 sum[kVectors] = {}, product[kVectors] = {}, mid[kVectors];
  for (int v = 0; v < kVectors; ++v) mid[v] = load(center + 4 * v);
  for (std::int64_t p = 0; p < view.pixels; ++p, a += view.stride, b += view.stride) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const Double4 x = load(a + 4 * v);
      sum[v] += x;
      product[v] += x * (load(b + 4 * v) - mid[v]);
    }
  }
  std::memcpy(first, sum, sizeof sum);
  std::memcpy(second, product, sizeof product);
}

template <class T>
void any_sums(const ChunkView& view, const T* a, const T* b, const float* center, double* first,
              double* second) {
  std::fill_n(first, view.width, 0.0);
  std::fill_n(second, view.width, 0.0);
  for (std::int64_t p = 0; p < view.pixels; ++p, a += view.stride, b += view.stride) {
    for (int j = 0; j < view.width; ++j) {
      first[j] += a[j];
      second[j] += static_cast<double>(a[j]) * (static_cast<double>(b[j]) - center[j]);
    }
  }
}

}  // namespace

template <class T>
void channel_sums(const ChunkView& view, const T* a, const T* b, const float* center, double* first,
                  double* second) {
  if (view.width == 16) return vector_sums<4>(view, a, b, center, first, second);
  if (view.width == 8) return vector_sums<2>(view, a, b, center, first, second);
  any_sums(view, a, b, center, first, second);
}

template <class T>
void scale_channels(const ChunkView& view, const T* x, const float* center, const float* factor,
                    const float* offset, T* y, bool accumulate) {
  with_width(view.width, [&](auto width) {
    with_flag(accumulate, [&](auto add) {
      for (std::int64_t p = 0; p < view.pixels; ++p) {
#pragma omp simd
        for (int j = 0; j < width; ++j) {
          const std::int64_t at = p * view.stride + j;
          put(y[at], (x[at] - center[j]) * factor[j] + offset[j], add);
        }
      }
    });
  });
}

template void channel_sums(const ChunkView&, const float*, const float*, const float*, double*,
                           double*);
template void channel_sums(const ChunkView&, const Bf16*, const Bf16*, const float*, double*,
                           double*);
template void scale_channels(const ChunkView&, const float*, const float*, const float*,
                             const float*, float*, bool);
template void scale_channels(const ChunkView&, const Bf16*, const float*, const float*,
                             const float*, Bf16*, bool);

}  // namespace hpmp::cpu
