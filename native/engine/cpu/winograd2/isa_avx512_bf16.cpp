// F(2x2, 3x3) for AVX512-BF16; the build compiles this file alone for it. Source of the transforms:
// A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2016).
#define HPMP_LANES 16
#define HPMP_ISA avx512_bf16
#include "engine/cpu/winograd/transforms.h"
#include "engine/cpu/winograd2/code.h"

namespace hpmp::cpu::winograd2::HPMP_ISA {

using cpu::HPMP_ISA::dot;
using cpu::HPMP_ISA::interleaved;
using cpu::HPMP_ISA::load_pairs;
using cpu::HPMP_ISA::Pairs;
using cpu::HPMP_ISA::repeat;
using cpu::HPMP_ISA::rounded;
using winograd::HPMP_ISA::bounded;
using winograd::HPMP_ISA::load;
using winograd::HPMP_ISA::store;
using winograd::HPMP_ISA::transform;
using winograd::HPMP_ISA::Vector;

struct InputTransform {  // B^T d
  static constexpr int kIn = 4, kOut = 4;
  static HPMP_FORCED void apply(const Vector* d, Vector* t) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
  }
};

struct OutputTransform {  // A^T m
  static constexpr int kIn = 4, kOut = 2;
  static HPMP_FORCED void apply(const Vector* m, Vector* t) {
    t[0] = m[0] + m[1] + m[2];
    t[1] = m[1] - m[2] - m[3];
  }
};

struct OutputGradTransform {  // A dy
  static constexpr int kIn = 2, kOut = 4;
  static HPMP_FORCED void apply(const Vector* y, Vector* t) {
    t[0] = y[0];
    t[1] = y[0] + y[1];
    t[2] = y[0] - y[1];
    t[3] = -y[1];
  }
};

struct WeightTransform {  // G g
  static constexpr int kIn = 3, kOut = 4;
  static HPMP_FORCED void apply(const Vector* g, Vector* t) {
    const Vector even = (g[0] + g[2]) * 0.5F, odd = g[1] * 0.5F;
    t[0] = g[0];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = g[2];
  }
};

struct WeightGradTransform {  // G^T u
  static constexpr int kIn = 4, kOut = 3;
  static HPMP_FORCED void apply(const Vector* u, Vector* t) {
    const Vector half = (u[1] + u[2]) * 0.5F;
    t[0] = u[0] + half;
    t[1] = (u[1] - u[2]) * 0.5F;
    t[2] = half + u[3];
  }
};

/// T of the pixels of a window, zero outside of the image.
template <class T, class Put>
HPMP_INLINE void transform_window(const Place& place, const Put& put) {
  constexpr int kSize = T::kIn;
  const Window w = place.window;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  const Bf16* corner = place.image + w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
  if (w.y >= 0 && w.x >= 0 && w.y + kSize <= w.height && w.x + kSize <= w.width) {
    transform<T>([=](int y, int x) HPMP_FORCED { return load(corner + y * row + x * kLanes); },
                 put);
    return;
  }
  const auto get = [=](int y, int x) HPMP_FORCED {
    const int at_y = w.y + y, at_x = w.x + x;
    const bool inside = at_y >= 0 && at_x >= 0 && at_y < w.height && at_x < w.width;
    return inside ? load(corner + y * row + x * kLanes) : Vector{};
  };
  transform<T>(get, put);
}

inline void transform_input(const Place& place, Bf16* points, std::ptrdiff_t stride) {
  transform_window<InputTransform>(
      place, [=](int p, Vector v) HPMP_FORCED { store(points + p * stride, v); });
}

template <class T>
void transform_pair(const Place* places, Bf16* points, std::ptrdiff_t stride) {
  Vector all[2][kPoints] = {};
  for (int s = 0; s < 2; ++s) {
    Vector* of = all[s];
    if (places[s].image)
      transform_window<T>(places[s], [=](int p, Vector v) HPMP_FORCED { of[p] = v; });
  }
#pragma GCC unroll 16
  for (int p = 0; p < kPoints; ++p) {
    const Pairs v = interleaved(rounded(all[0][p], all[1][p]));
    __builtin_memcpy(points + p * stride, &v, sizeof v);
  }
}

inline void transform_output(const Window& w, const float* points, std::ptrdiff_t stride,
                             const Ending& ending, Bf16* image) {
  const auto* addend = static_cast<const Bf16*>(ending.addend);
  const Vector shift = ending.bias ? load(ending.bias) : Vector{};
  const int height = w.height - w.y, width = w.width - w.x;
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(w.width) * kLanes;
  const std::ptrdiff_t corner = w.y * row + static_cast<std::ptrdiff_t>(w.x) * kLanes;
  const auto put = [&](int p, Vector v) HPMP_FORCED {
    const int y = p / kTile, x = p % kTile;
    if (y >= height || x >= width) return;
    const std::ptrdiff_t at = corner + y * row + x * kLanes;
    v += shift;
    if (addend) v += load(addend + at);
    store(image + at, bounded(v, ending.bounds));
  };
  transform<OutputTransform>(
      [=](int y, int x) HPMP_FORCED { return load(points + (y * 4 + x) * stride); }, put);
}

inline void transform_weights(const float* first, const float* second, Bf16* points,
                              std::ptrdiff_t stride) {
  Vector all[2][kPoints];
  for (int s = 0; s < 2; ++s) {
    const float* taps = s == 0 ? first : second;
    Vector* of = all[s];
    transform<WeightTransform>([=](int y, int x)
                                   HPMP_FORCED { return load(taps + (y * 3 + x) * kLanes); },
                               [=](int p, Vector v) HPMP_FORCED { of[p] = v; });
  }
  for (int p = 0; p < kPoints; ++p) {
    const Pairs v = interleaved(rounded(all[0][p], all[1][p]));
    __builtin_memcpy(points + p * stride, &v, sizeof v);
  }
}

inline void transform_weight_grad(const float* points, std::ptrdiff_t stride, float* taps) {
  transform<WeightGradTransform>([=](int y, int x)
                                     HPMP_FORCED { return load(points + (y * 4 + x) * stride); },
                                 [=](int j, Vector v) HPMP_FORCED { store(taps + j * kLanes, v); });
}

/// `Rows` tiles by `Columns` output blocks.
template <int Rows, int Columns>
void multiply_tiles(const Product& p, const Bf16* v, const Bf16* u, float* m) {
  Vector sum[Rows][Columns] = {};
  for (int block = 0; block < p.in_blocks; ++block, v += p.in_stride) {
    for (int c = 0; c < kLanes; c += 2, u += Columns * 2 * kLanes) {
      Pairs column[Columns];
#pragma GCC unroll 2
      for (int n = 0; n < Columns; ++n) column[n] = load_pairs(u + n * 2 * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const Pairs value = repeat(v + r * kLanes + c);
#pragma GCC unroll 2
        for (int n = 0; n < Columns; ++n) sum[r][n] = dot(sum[r][n], value, column[n]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (int n = 0; n < Columns; ++n) store(m + n * p.out_stride + r * kLanes, sum[r][n]);
  }
}

constexpr int kTileRows = 14;  // registers hold twice as many sums, two columns and a value

template <int Columns, int Rows = kTileRows>
void multiply_rows(const Product& p, int rows, const Bf16* v, const Bf16* u, float* m) {
  if (rows == Rows) return multiply_tiles<Rows, Columns>(p, v, u, m);
  if constexpr (Rows > 1) multiply_rows<Columns, Rows - 1>(p, rows, v, u, m);
}

inline void multiply(const Product& p, const Bf16* v, const Bf16* u, float* m) {
  const int chunks = (p.tiles + kTileRows - 1) / kTileRows;
  const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(p.in_blocks) * kLanes * 2 * kLanes;
  for (int k = 0; k < p.out_blocks; k += 2, u += panel) {
    for (int chunk = 0; chunk < chunks; ++chunk) {  // of equal size, as far as that goes
      const int begin = p.tiles * chunk / chunks, rows = p.tiles * (chunk + 1) / chunks - begin;
      const Bf16* from = v + static_cast<std::ptrdiff_t>(begin) * kLanes;
      float* to = m + k * p.out_stride + static_cast<std::ptrdiff_t>(begin) * kLanes;
      if (k + 1 < p.out_blocks)
        multiply_rows<2>(p, rows, from, u, to);
      else
        multiply_rows<1>(p, rows, from, u, to);
    }
  }
}

constexpr int kGradRows = 8;

template <int Columns>
void multiply_grad_rows(const GradProduct& p, const Bf16* v, const Bf16* d, float* u) {
  Vector sum[kGradRows][Columns] = {};
  for (int t = 0; t < p.pairs; ++t, v += 2 * kLanes, d += 2 * kLanes) {
    Pairs column[Columns];
#pragma GCC unroll 2
    for (int n = 0; n < Columns; ++n) column[n] = load_pairs(d + n * p.stride);
#pragma GCC unroll 8
    for (int r = 0; r < kGradRows; ++r) {
      const Pairs value = repeat(v + 2 * r);
#pragma GCC unroll 2
      for (int n = 0; n < Columns; ++n) sum[r][n] = dot(sum[r][n], value, column[n]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kGradRows; ++r) {
#pragma GCC unroll 2
    for (int n = 0; n < Columns; ++n) store(u + (r * Columns + n) * kLanes, sum[r][n]);
  }
}

inline void multiply_grad(const GradProduct& p, const Bf16* v, const Bf16* d, float* u) {
  for (int block = 0; block < p.in_blocks; ++block) {
    for (int c = 0; c < kLanes; c += kGradRows, u += p.out_blocks * kGradRows * kLanes) {
      const Bf16* from = v + block * p.stride + 2 * c;
      if (p.out_blocks == 2)
        multiply_grad_rows<2>(p, from, d, u);
      else
        multiply_grad_rows<1>(p, from, d, u);
    }
  }
}

}  // namespace hpmp::cpu::winograd2::HPMP_ISA

namespace hpmp::cpu::winograd2 {

const Code& avx512_bf16_code() {
  namespace isa = avx512_bf16;
  static constexpr Code code{isa::transform_input,
                             isa::transform_pair<isa::InputTransform>,
                             isa::transform_pair<isa::OutputGradTransform>,
                             isa::transform_output,
                             isa::transform_weights,
                             isa::transform_weight_grad,
                             isa::multiply,
                             isa::multiply_grad};
  return code;
}

}  // namespace hpmp::cpu::winograd2
