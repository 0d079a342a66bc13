// The arithmetic of Winograd convolution F(4x4, 3x3) on vectors of channels, for one instruction
// set. Only winograd/isa_*.cpp include this, each compiled for its own instruction set and inside a
// namespace of its own; nothing here may use an inline function that other files use, too.
//
// Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016); the
// transforms are those of the points 0, 1, -1, 2, -2 and infinity.
#include <cstddef>
#include <cstdint>

#include "engine/cpu/winograd/code.h"

#ifndef HPMP_LANES
#error "define HPMP_LANES, the floats of a register, and HPMP_ISA, the namespace"
#endif
#define HPMP_ALWAYS __attribute__((always_inline))

namespace hpmp::cpu::winograd::HPMP_ISA {

constexpr int kLanes = HPMP_LANES;
using Vector = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline HPMP_ALWAYS Vector load(const float* at) { return *reinterpret_cast<const Vector*>(at); }
inline HPMP_ALWAYS void store(float* at, Vector v) { *reinterpret_cast<Vector*>(at) = v; }

// One-dimensional transforms of `in[0], in[1], ...` to `out[0], out[1], ...`.

struct InputTransform {  // B^T d
  static constexpr int kIn = 6, kOut = 6;
  static HPMP_ALWAYS void apply(const Vector* d, Vector* t) {
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
  static HPMP_ALWAYS void apply(const Vector* m, Vector* t) {
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
  static HPMP_ALWAYS void apply(const Vector* y, Vector* t) {
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
  static HPMP_ALWAYS void apply(const Vector* g, Vector* t) {
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
  static HPMP_ALWAYS void apply(const Vector* u, Vector* t) {
    const Vector sum1 = u[1] + u[2], difference1 = u[2] - u[1];
    const Vector sum2 = u[3] + u[4], difference2 = u[3] - u[4];
    t[0] = u[0] * 0.25F - sum1 * (1.F / 6) + sum2 * (1.F / 24);
    t[1] = difference1 * (1.F / 6) + difference2 * (1.F / 12);
    t[2] = (sum2 - sum1) * (1.F / 6) + u[5];
  }
};

/// T in both dimensions: of get(y, x) for y, x < kIn to put(y * kOut + x, value).
template <class T, class Get, class Put>
inline HPMP_ALWAYS void transform(const Get& get, const Put& put) {
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

/// T of the pixels of a window, zero outside of the image.
template <class T>
inline HPMP_ALWAYS void transform_window(const Window& w, const float* image, float* points,
                                         std::ptrdiff_t stride) {
  constexpr int kSize = T::kIn;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  const auto put = [=](int p, Vector v) HPMP_ALWAYS { store(points + p * stride, v); };
  const float* corner = image + w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
  if (w.y >= 0 && w.x >= 0 && w.y + kSize <= w.height && w.x + kSize <= w.width) {
    transform<T>([=](int y, int x) HPMP_ALWAYS { return load(corner + y * row + x * kLanes); },
                 put);
    return;
  }
  const auto get = [=](int y, int x) HPMP_ALWAYS {
    const int at_y = w.y + y, at_x = w.x + x;
    const bool inside = at_y >= 0 && at_x >= 0 && at_y < w.height && at_x < w.width;
    return inside ? load(corner + y * row + x * kLanes) : Vector{};
  };
  transform<T>(get, put);
}

inline void transform_input(const Window& w, const float* image, float* points,
                            std::ptrdiff_t stride) {
  transform_window<InputTransform>(w, image, points, stride);
}

inline void transform_output_grad(const Window& w, const float* image, float* points,
                                  std::ptrdiff_t stride) {
  transform_window<OutputGradTransform>(w, image, points, stride);
}

/// NaN, as a bound and as a value, changes nothing.
inline HPMP_ALWAYS Vector bounded(Vector v, Bounds bounds) {
  const Vector low = Vector{} + bounds.low, high = Vector{} + bounds.high;
  v = v < low ? low : v;
  return v > high ? high : v;
}

inline void transform_output(const Window& w, const float* points, std::ptrdiff_t stride,
                             const Ending& ending, float* image) {
  const Vector shift = ending.bias ? load(ending.bias) : Vector{};
  const int height = w.height - w.y, width = w.width - w.x;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  const std::ptrdiff_t corner = w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
  const auto get = [=](int y, int x) HPMP_ALWAYS { return load(points + (y * 6 + x) * stride); };
  const auto put = [&](int p, Vector v) HPMP_ALWAYS {
    const int y = p / kTile, x = p % kTile;
    if (y >= height || x >= width) return;
    const std::ptrdiff_t at = corner + y * row + x * kLanes;
    v += shift;
    if (ending.addend) v += load(ending.addend + at);
    store(image + at, bounded(v, ending.bounds));
  };
  transform<OutputTransform>(get, put);
}

using Indices = std::int32_t __attribute__((vector_size(4 * kLanes)));

/// One stage of the transposition of kLanes vectors: blocks of Step x Step off the diagonal of
/// blocks of 2 Step x 2 Step change places.
template <int Step>
inline HPMP_ALWAYS void exchange(Vector* v) {
  using Plain = float __attribute__((vector_size(4 * kLanes)));
  Indices low, high;
  for (int j = 0; j < kLanes; ++j) {
    low[j] = j & Step ? kLanes + j - Step : j;
    high[j] = j & Step ? kLanes + j : j + Step;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & Step) continue;
    const Plain a = v[i], b = v[i + Step];
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
                                 HPMP_ALWAYS { return load(taps + (y * 3 + x) * kLanes); },
                             [=](int p, Vector v) HPMP_ALWAYS { store(points + p * stride, v); });
}

inline void transform_weight_grad(const float* points, std::ptrdiff_t stride, float* taps) {
  transform<WeightGradTransform>([=](int y, int x)
                                     HPMP_ALWAYS { return load(points + (y * 6 + x) * stride); },
                                 [=](int j, Vector v) HPMP_ALWAYS { store(taps + j * kLanes, v); });
}

// Products of one point: `Rows` x `Columns` registers of sums.

/// sums[r][n] += a[r] * b[n], for all r and n, with the loops unrolled.
template <int Rows, int Columns>
struct Sums {
  Vector sum[Rows][Columns];

  HPMP_ALWAYS void add(const float* a, std::ptrdiff_t a_step, const float* b,
                       std::ptrdiff_t b_step) {
    Vector column[Columns];
#pragma GCC unroll 16
    for (int n = 0; n < Columns; ++n) column[n] = load(b + n * b_step);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const float value = a[r * a_step];
#pragma GCC unroll 16
      for (int n = 0; n < Columns; ++n) sum[r][n] += value * column[n];
    }
  }
};

/// m[tile][k] = sum over c of v[tile][c] * u[c][k] for `Rows` tiles and `Columns` blocks of k.
template <int Rows, int Columns>
void multiply_tiles(const Product& p, const float* v, const float* u, float* m) {
  Sums<Rows, Columns> sums{};
  for (int block = 0; block < p.in_blocks; ++block, v += p.in_stride) {
    for (int c = 0; c < kLanes; ++c, u += Columns * kLanes) sums.add(v + c, kLanes, u, kLanes);
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 16
    for (int n = 0; n < Columns; ++n) store(m + n * p.out_stride + r * kLanes, sums.sum[r][n]);
  }
}

// Registers hold kTileRows x 2 sums, two columns and one value.
constexpr int kTileRows = kLanes == 16 ? 14 : 6;

template <int Columns>
void multiply_rows(const Product& p, int rows, const float* v, const float* u, float* m) {
  switch (rows) {
#define HPMP_ROWS(n) \
  case n:            \
    return multiply_tiles<n, Columns>(p, v, u, m);
    HPMP_ROWS(1)
    HPMP_ROWS(2)
    HPMP_ROWS(3)
    HPMP_ROWS(4)
    HPMP_ROWS(5)
    HPMP_ROWS(6)
#if HPMP_LANES == 16
    HPMP_ROWS(7)
    HPMP_ROWS(8)
    HPMP_ROWS(9)
    HPMP_ROWS(10)
    HPMP_ROWS(11)
    HPMP_ROWS(12)
    HPMP_ROWS(13)
    HPMP_ROWS(14)
#endif
#undef HPMP_ROWS
    default:
      break;
  }
}

inline void multiply(const Product& p, const float* v, const float* u, float* m) {
  const int chunks = (p.tiles + kTileRows - 1) / kTileRows;
  const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(p.in_blocks) * kLanes * 2 * kLanes;
  for (int k = 0; k < p.out_blocks; k += 2, u += panel) {
    for (int chunk = 0; chunk < chunks; ++chunk) {  // of equal size, as far as that goes
      const int begin = p.tiles * chunk / chunks, rows = p.tiles * (chunk + 1) / chunks - begin;
      const float* from = v + static_cast<std::ptrdiff_t>(begin) * kLanes;
      float* to = m + k * p.out_stride + static_cast<std::ptrdiff_t>(begin) * kLanes;
      if (k + 1 < p.out_blocks) {
        multiply_rows<2>(p, rows, from, u, to);
      } else {
        multiply_rows<1>(p, rows, from, u, to);
      }
    }
  }
}

constexpr int kGradRows = kLanes == 16 ? 8 : 4;

/// u[c][k] (+)= sum over tiles of v[tile][c] * d[tile][k], for kGradRows c and `Columns` blocks.
template <int Columns>
void multiply_grad_rows(const Product& p, bool add, const float* v, const float* d, float* u) {
  Sums<kGradRows, Columns> sums{};
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < kGradRows; ++r) {
#pragma GCC unroll 16
      for (int n = 0; n < Columns; ++n) sums.sum[r][n] = load(u + (r * Columns + n) * kLanes);
    }
  }
  for (int t = 0; t < p.tiles; ++t) sums.add(v + t * kLanes, 1, d + t * kLanes, p.out_stride);
#pragma GCC unroll 16
  for (int r = 0; r < kGradRows; ++r) {
#pragma GCC unroll 16
    for (int n = 0; n < Columns; ++n) store(u + (r * Columns + n) * kLanes, sums.sum[r][n]);
  }
}

inline void multiply_grad(const Product& p, bool add, const float* v, const float* d, float* u) {
  for (int k = 0; k < p.out_blocks; k += 2) {
    const int columns = k + 1 < p.out_blocks ? 2 : 1;
    for (int block = 0; block < p.in_blocks; ++block) {
      for (int c = 0; c < kLanes; c += kGradRows, u += columns * kGradRows * kLanes) {
        const float* from = v + block * p.in_stride + c;
        if (columns == 2) {
          multiply_grad_rows<2>(p, add, from, d + k * p.out_stride, u);
        } else {
          multiply_grad_rows<1>(p, add, from, d + k * p.out_stride, u);
        }
      }
    }
  }
}

inline Code make_code() {
  return {kLanes,
          transform_input,
          transform_output,
          transform_output_grad,
          transform_weights,
          transform_weight_grad,
          multiply,
          multiply_grad,
          transpose};
}

}  // namespace hpmp::cpu::winograd::HPMP_ISA
