// Per-channel sums in double: what batch statistics and per-channel gradients are made of.
#pragma once

#include <cstdint>

namespace hpmp::cpu {

/// One chunk of one sample: `width` (at most 16) channels, `stride` elements from pixel to pixel.
struct ChunkView {
  std::int64_t pixels;
  std::int64_t stride;
  int width;
};

/// first[j] = sum of a[j] and second[j] = sum of a[j] * (b[j] - center[j]) over the pixels.
/// Products of floats are exact in double, so with a = b and center 0 the variance may be had from
/// them.
template <class T>
void channel_sums(const ChunkView& view, const T* a, const T* b, const float* center, double* first,
                  double* second);

/// Shifts, scales and normalises alike: y[j] = (x[j] - center[j]) * factor[j] + offset[j], or += .
template <class T>
void scale_channels(const ChunkView& view, const T* x, const float* center, const float* factor,
                    const float* offset, T* y, bool accumulate);

}  // namespace hpmp::cpu
