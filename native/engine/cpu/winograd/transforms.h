// The transforms of Winograd convolution, of vectors of channels. Source: A. Lavin and S. Gray,
// Fast Algorithms for Convolutional Neural Networks (2016); those of the points 0, 1, -1, 2, -2,
// infinity.
#pragma once

#include "engine/cpu/winograd/lanes.h"

namespace hpmp::cpu::winograd::HPMP_ISA {

// One-dimensional transforms of `in[0], in[1], ...` to `out[0], out[1], ...`.

struct InputTransform {  // B^T d
  static constexpr int kIn = 6, kOut = 6;
  static HPMP_FORCED void apply(const Vector* d, Vector* t) {
    const Vector even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    const Vector near = d[4] - d[2], far = 2 * (d[3] - d[1]);
    t[0] = 4 * d[0] + (d[4] - 5 * d[2]);
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = near + far;
    t[4] = near - far;
    t[5] = 4 * d[1] + (d[5] - 5 * d[3]);
  }
};

struct OutputTransform {  // A^T m
  static constexpr int kIn = 6, kOut = 4;
  static HPMP_FORCED void apply(const Vector* m, Vector* t) {
    const Vector sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    const Vector sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    t[0] = m[0] + sum1 + sum2;
    t[1] = difference1 + 2 * difference2;
    t[2] = sum1 + 4 * sum2;
    t[3] = difference1 + 8 * difference2 + m[5];
  }
};

struct OutputGradTransform {  // A dy
  static constexpr int kIn = 4, kOut = 6;
  static HPMP_FORCED void apply(const Vector* y, Vector* t) {
    const Vector even1 = y[0] + y[2], odd1 = y[1] + y[3];
    const Vector even2 = y[0] + 4 * y[2], odd2 = 2 * y[1] + 8 * y[3];
    t[0] = y[0];
    t[1] = even1 + odd1;
    t[2] = even1 - odd1;
    t[3] = even2 + odd2;
    t[4] = even2 - odd2;
    t[5] = y[3];
  }
};

struct WeightTransform {  // G g
  static constexpr int kIn = 3, kOut = 6;
  static HPMP_FORCED void apply(const Vector* g, Vector* t) {
    const Vector even1 = (g[0] + g[2]) * (-1.F / 6), odd1 = g[1] * (1.F / 6);
    const Vector even2 = g[0] * (1.F / 24) + g[2] * (1.F / 6), odd2 = g[1] * (1.F / 12);
    t[0] = g[0] * 0.25F;
    t[1] = even1 - odd1;
    t[2] = even1 + odd1;
    t[3] = even2 + odd2;
    t[4] = even2 - odd2;
    t[5] = g[2];
  }
};

struct WeightGradTransform {  // G^T u
  static constexpr int kIn = 6, kOut = 3;
  static HPMP_FORCED void apply(const Vector* u, Vector* t) {
    const Vector sum1 = u[1] + u[2], difference1 = u[2] - u[1];
    const Vector sum2 = u[3] + u[4], difference2 = u[3] - u[4];
    t[0] = u[0] * 0.25F - sum1 * (1.F / 6) + sum2 * (1.F / 24);
    t[1] = difference1 * (1.F / 6) + difference2 * (1.F / 12);
    t[2] = (sum2 - sum1) * (1.F / 6) + u[5];
  }
};

/// T in both dimensions: of get(y, x) for y, x < kIn to put(y * kOut + x, value).
template <class T, class Get, class Put>
HPMP_INLINE void transform(const Get& get, const Put& put) {
  Vector half[T::kOut * T::kIn];
#pragma GCC unroll 6
  for (int x = 0; x < T::kIn; ++x) {
    Vector in[T::kIn], out[T::kOut];
#pragma GCC unroll 6
    for (int y = 0; y < T::kIn; ++y) in[y] = get(y, x);
    T::apply(in, out);
#pragma GCC unroll 6
    for (int y = 0; y < T::kOut; ++y) half[y * T::kIn + x] = out[y];
  }
#pragma GCC unroll 1
  for (int y = 0; y < T::kOut; ++y) {
    Vector out[T::kOut];
    T::apply(half + y * T::kIn, out);
#pragma GCC unroll 6
    for (int x = 0; x < T::kOut; ++x) put(y * T::kOut + x, out[x]);
  }
}

/// The transform of the pixels of a window, zero outside of the image.
template <class Transform, class T>
HPMP_INLINE void transform_window(const Window& w, const T* image, float* points,
                                  std::ptrdiff_t stride) {
  constexpr int kSize = Transform::kIn;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  const auto put = [=](int p, Vector v) HPMP_FORCED { store(points + p * stride, v); };
  const T* corner = image + w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
  if (w.y >= 0 && w.x >= 0 && w.y + kSize <= w.height && w.x + kSize <= w.width) {
    transform<Transform>(
        [=](int y, int x) HPMP_FORCED { return load(corner + y * row + x * kLanes); }, put);
    return;
  }
  const auto get = [=](int y, int x) HPMP_FORCED {
    const int at_y = w.y + y, at_x = w.x + x;
    const bool inside = at_y >= 0 && at_x >= 0 && at_y < w.height && at_x < w.width;
    return inside ? load(corner + y * row + x * kLanes) : Vector{};
  };
  transform<Transform>(get, put);
}

template <class T>
void transform_input(const Window& w, const void* image, float* points, std::ptrdiff_t stride) {
  transform_window<InputTransform>(w, static_cast<const T*>(image), points, stride);
}

template <class T>
void transform_output_grad(const Window& w, const void* image, float* points,
                           std::ptrdiff_t stride) {
  transform_window<OutputGradTransform>(w, static_cast<const T*>(image), points, stride);
}

/// NaN, as a bound and as a value, changes nothing.
HPMP_INLINE Vector bounded(Vector v, Bounds bounds) {
  const Vector low = Vector{} + bounds.low, high = Vector{} + bounds.high;
  v = v < low ? low : v;
  return v > high ? high : v;
}

template <class T>
void transform_output(const Window& w, const float* points, std::ptrdiff_t stride,
                      const Ending& ending, void* image) {
  T* to = static_cast<T*>(image);
  const T* addend = static_cast<const T*>(ending.addend);
  const Vector shift = ending.bias ? load(ending.bias) : Vector{};
  const int height = w.height - w.y, width = w.width - w.x;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  const std::ptrdiff_t corner = w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
  const auto get = [=](int y, int x) HPMP_FORCED { return load(points + (y * 6 + x) * stride); };
  const auto put = [&](int p, Vector v) HPMP_FORCED {
    const int y = p / kTile, x = p % kTile;
    if (y >= height || x >= width) return;
    const std::ptrdiff_t at = corner + y * row + x * kLanes;
    v += shift;
    if (addend) v += load(addend + at);
    store(to + at, bounded(v, ending.bounds));
  };
  transform<OutputTransform>(get, put);
}

using Indices = std::int32_t __attribute__((vector_size(4 * kLanes)));

/// One stage of the transposition of kLanes vectors: blocks of Step x Step off the diagonal of
/// blocks of 2 Step x 2 Step change places.
template <int Step>
HPMP_INLINE void exchange(Vector* v) {
  Indices low, high;
  for (int j = 0; j < kLanes; ++j) {
    low[j] = j & Step ? kLanes + j - Step : j;
    high[j] = j & Step ? kLanes + j : j + Step;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & Step) continue;
    const Vector a = v[i], b = v[i + Step];
    v[i] = __builtin_shuffle(a, b, low);
    v[i + Step] = __builtin_shuffle(a, b, high);
  }
  if constexpr (2 * Step < kLanes) exchange<2 * Step>(v);
}

inline void transpose(const float* from, std::ptrdiff_t stride, float* to,
                      std::ptrdiff_t to_stride) {
  Vector v[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) v[i] = load(from + i * stride);
  exchange<1>(v);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) store(to + i * to_stride, v[i]);
}

inline void transform_weights(const float* taps, float* points, std::ptrdiff_t stride) {
  transform<WeightTransform>([=](int y, int x)
                                 HPMP_FORCED { return load(taps + (y * 3 + x) * kLanes); },
                             [=](int p, Vector v) HPMP_FORCED { store(points + p * stride, v); });
}

inline void transform_weight_grad(const float* points, std::ptrdiff_t stride, float* taps) {
  transform<WeightGradTransform>([=](int y, int x)
                                     HPMP_FORCED { return load(points + (y * 6 + x) * stride); },
                                 [=](int j, Vector v) HPMP_FORCED { store(taps + j * kLanes, v); });
}

}  // namespace hpmp::cpu::winograd::HPMP_ISA
