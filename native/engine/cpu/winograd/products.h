// The matrix products of Winograd convolution, each of one point: the sums of a part of the result
// in registers.
#pragma once

#include "engine/cpu/winograd/lanes.h"

namespace hpmp::cpu::winograd::HPMP_ISA {

/// sums[r][n] += a[r] * b[n], for all r and n, with the loops unrolled.
template <int Rows, int Columns>
struct Sums {
  Vector sum[Rows][Columns];

  HPMP_FORCED void add(const float* a, std::ptrdiff_t a_step, const float* b,
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

}  // namespace hpmp::cpu::winograd::HPMP_ISA
