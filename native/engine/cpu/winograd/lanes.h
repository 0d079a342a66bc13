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

namespace hpmp::cpu::winograd::HPMP_ISA {

constexpr int kLanes = HPMP_LANES;
using Vector = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline __attribute__((always_inline)) Vector load(const float* at) {
  return *reinterpret_cast<const Vector*>(at);
}
inline __attribute__((always_inline)) void store(float* at, Vector v) {
  *reinterpret_cast<Vector*>(at) = v;
}

// One-dimensional transforms of `in[0], in[step], ...` to `out[0], out[step], ...`.

struct InputTransform {  // B^T d
  static constexpr int kIn = 6, kOut = 6;
  static __attribute__((always_inline)) void apply(const Vector* d, int step, Vector* t, int to) {
    const Vector even = d[4 * step] - 4 * d[2 * step], odd = d[3 * step] - 4 * d[step];
    const Vector near = d[4 * step] - d[2 * step], far = 2 * (d[3 * step] - d[step]);
    t[0] = 4 * d[0] + (d[4 * step] - 5 * d[2 * step]);
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = near + far;
    t[4 * to] = near - far;
    t[5 * to] = 4 * d[step] + (d[5 * step] - 5 * d[3 * step]);
  }
};

struct OutputTransform {  // A^T m
  static constexpr int kIn = 6, kOut = 4;
  static __attribute__((always_inline)) void apply(const Vector* m, int step, Vector* t, int to) {
    const Vector sum1 = m[step] + m[2 * step], difference1 = m[step] - m[2 * step];
    const Vector sum2 = m[3 * step] + m[4 * step], difference2 = m[3 * step] - m[4 * step];
    t[0] = m[0] + sum1 + sum2;
    t[to] = difference1 + 2 * difference2;
    t[2 * to] = sum1 + 4 * sum2;
    t[3 * to] = difference1 + 8 * difference2 + m[5 * step];
  }
};

struct OutputGradTransform {  // A dy
  static constexpr int kIn = 4, kOut = 6;
  static __attribute__((always_inline)) void apply(const Vector* y, int step, Vector* t, int to) {
    const Vector even1 = y[0] + y[2 * step], odd1 = y[step] + y[3 * step];
    const Vector even2 = y[0] + 4 * y[2 * step], odd2 = 2 * y[step] + 8 * y[3 * step];
    t[0] = y[0];
    t[to] = even1 + odd1;
    t[2 * to] = even1 - odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = y[3 * step];
  }
};

struct WeightTransform {  // G g
  static constexpr int kIn = 3, kOut = 6;
  static __attribute__((always_inline)) void apply(const Vector* g, int step, Vector* t, int to) {
    const Vector even1 = (g[0] + g[2 * step]) * (-1.F / 6), odd1 = g[step] * (1.F / 6);
    const Vector even2 = g[0] * (1.F / 24) + g[2 * step] * (1.F / 6), odd2 = g[step] * (1.F / 12);
    t[0] = g[0] * 0.25F;
    t[to] = even1 - odd1;
    t[2 * to] = even1 + odd1;
    t[3 * to] = even2 + odd2;
    t[4 * to] = even2 - odd2;
    t[5 * to] = g[2 * step];
  }
};

struct WeightGradTransform {  // G^T u
  static constexpr int kIn = 6, kOut = 3;
  static __attribute__((always_inline)) void apply(const Vector* u, int step, Vector* t, int to) {
    const Vector sum1 = u[step] + u[2 * step], difference1 = u[2 * step] - u[step];
    const Vector sum2 = u[3 * step] + u[4 * step], difference2 = u[3 * step] - u[4 * step];
    t[0] = u[0] * 0.25F - sum1 * (1.F / 6) + sum2 * (1.F / 24);
    t[to] = difference1 * (1.F / 6) + difference2 * (1.F / 12);
    t[2 * to] = (sum2 - sum1) * (1.F / 6) + u[5 * step];
  }
};

/// T in both dimensions: kIn x kIn vectors to kOut x kOut, by rows.
template <class T>
inline __attribute__((always_inline)) void transform(const Vector* in, Vector* out) {
  Vector half[T::kOut * T::kIn];
  for (int x = 0; x < T::kIn; ++x) T::apply(in + x, T::kIn, half + x, T::kIn);
  for (int y = 0; y < T::kOut; ++y) T::apply(half + y * T::kIn, 1, out + y * T::kOut, 1);
}

/// The Size x Size pixels of a window; zero outside of the image.
template <int Size>
inline __attribute__((always_inline)) void load_window(const Window& w, const float* image,
                                                       Vector* d) {
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  if (w.y >= 0 && w.x >= 0 && w.y + Size <= w.height && w.x + Size <= w.width) {
    const float* at = image + w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
    for (int y = 0; y < Size; ++y, at += row) {
      for (int x = 0; x < Size; ++x) d[y * Size + x] = load(at + x * kLanes);
    }
    return;
  }
  for (int y = 0; y < Size; ++y) {
    for (int x = 0; x < Size; ++x) {
      const int at_y = w.y + y, at_x = w.x + x;
      const bool inside = at_y >= 0 && at_x >= 0 && at_y < w.height && at_x < w.width;
      d[y * Size + x] =
          inside ? load(image + at_y * row + static_cast<std::ptrdiff_t>(at_x) * kLanes) : Vector{};
    }
  }
}

inline void transform_input(const Window& w, const float* image, float* points,
                            std::ptrdiff_t stride) {
  Vector d[kPoints], t[kPoints];
  load_window<6>(w, image, d);
  transform<InputTransform>(d, t);
  for (int p = 0; p < kPoints; ++p) store(points + p * stride, t[p]);
}

inline void transform_output_grad(const Window& w, const float* image, float* points,
                                  std::ptrdiff_t stride) {
  Vector d[16], t[kPoints];
  load_window<4>(w, image, d);
  transform<OutputGradTransform>(d, t);
  for (int p = 0; p < kPoints; ++p) store(points + p * stride, t[p]);
}

/// NaN, as a bound and as a value, changes nothing.
inline __attribute__((always_inline)) Vector bounded(Vector v, Bounds bounds) {
  const Vector low = Vector{} + bounds.low, high = Vector{} + bounds.high;
  v = v < low ? low : v;
  return v > high ? high : v;
}

inline void transform_output(const Window& w, const float* points, std::ptrdiff_t stride,
                             const Ending& ending, float* image) {
  Vector m[kPoints], t[16];
  for (int p = 0; p < kPoints; ++p) m[p] = load(points + p * stride);
  transform<OutputTransform>(m, t);
  const Vector shift = ending.bias ? load(ending.bias) : Vector{};
  const int height = w.height - w.y < 4 ? w.height - w.y : 4;
  const int width = w.width - w.x < 4 ? w.width - w.x : 4;
  for (int y = 0; y < height; ++y) {
    std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(w.y + y) * w.width + w.x) * kLanes;
    for (int x = 0; x < width; ++x, at += kLanes) {
      Vector v = t[y * 4 + x] + shift;
      if (ending.addend) v += load(ending.addend + at);
      store(image + at, bounded(v, ending.bounds));
    }
  }
}

using Indices = std::int32_t __attribute__((vector_size(4 * kLanes)));

/// One stage of the transposition of kLanes vectors: blocks of Step x Step off the diagonal of
/// blocks of 2 Step x 2 Step change places.
template <int Step>
inline __attribute__((always_inline)) void exchange(Vector* v) {
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
  Vector g[9], t[kPoints];
  for (int j = 0; j < 9; ++j) g[j] = load(taps + j * kLanes);
  transform<WeightTransform>(g, t);
  for (int p = 0; p < kPoints; ++p) store(points + p * stride, t[p]);
}

inline void transform_weight_grad(const float* points, std::ptrdiff_t stride, float* taps) {
  Vector u[kPoints], t[9];
  for (int p = 0; p < kPoints; ++p) u[p] = load(points + p * stride);
  transform<WeightGradTransform>(u, t);
  for (int j = 0; j < 9; ++j) store(taps + j * kLanes, t[j]);
}

// Products of one point: `Rows` x `Columns` registers of sums.

/// sums[r][n] += a[r] * b[n], for all r and n, with the loops unrolled.
template <int Rows, int Columns>
struct Sums {
  Vector sum[Rows][Columns];

  __attribute__((always_inline)) void add(const float* a, std::ptrdiff_t a_step, const float* b,
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
