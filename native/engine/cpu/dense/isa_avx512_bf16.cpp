// Dense layers' products of bf16 for AVX512-BF16; the build compiles this file alone for it.
#define HPMP_LANES 16
#define HPMP_ISA avx512_bf16
#include "engine/cpu/dense/bf16_code.h"
#include "engine/cpu/update/formula.h"

namespace hpmp::cpu::dense::HPMP_ISA {

using namespace cpu::HPMP_ISA;
using Wide = Float<16>;

constexpr std::int64_t kChunk = 2048;   // columns of kRows weights in cache as bf16
constexpr int kRows = 4, kSamples = 4;  // of products in registers
constexpr std::int64_t kMostSamples = 64;

HPMP_INLINE float total(const Wide& v) {
  Float<8> halves[2];
  __builtin_memcpy(halves, &v, sizeof v);
  halves[0] += halves[1];
  Float<4> quarters[2];
  __builtin_memcpy(quarters, halves, sizeof quarters);
  quarters[0] += quarters[1];
  return (quarters[0][0] + quarters[0][1]) + (quarters[0][2] + quarters[0][3]);
}

/// Rows of weights that are soon read.
struct Ahead {
  const float* rows;  // null: none
  std::int64_t columns;

  HPMP_INLINE void ask_for(std::int64_t column, int count) const {
    if (!rows) return;
    for (int h = 0; h < count; ++h) {
      __builtin_prefetch(rows + h * columns + column);
      __builtin_prefetch(rows + h * columns + column + 16);
    }
  }
};

/// sums[i][h] += the products of `count` columns.
template <int H, int S>
HPMP_INLINE void add_products(const Bf16* x, std::int64_t x_stride, const Bf16 (*w)[kChunk],
                              std::int64_t count, const Ahead& ahead, float (*sums)[kRows]) {
  Wide sum[S][H] = {};
  for (std::int64_t c = 0; c < count; c += kBf16Columns) {
    ahead.ask_for(c, H);
    Pairs row[H];
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) row[h] = load_pairs(w[h] + c);
#pragma GCC unroll 4
    for (int i = 0; i < S; ++i) {
      const Pairs v = load_pairs(x + i * x_stride + c);
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) sum[i][h] = dot(sum[i][h], v, row[h]);
    }
  }
  for (int i = 0; i < S; ++i) {
    for (int h = 0; h < H; ++h) sums[i][h] += total(sum[i][h]);
  }
}

template <int H>
HPMP_INLINE void round_chunk(const float* weight, std::int64_t columns, std::int64_t count,
                             Bf16 (*to)[kChunk]) {
  for (int h = 0; h < H; ++h) {
    const float* from = weight + h * columns;
    for (std::int64_t c = 0; c < count; c += kBf16Columns) {
      const Pairs v = rounded(load<16>(from + c), load<16>(from + c + 16));
      __builtin_memcpy(to[h] + c, &v, sizeof v);
    }
  }
}

template <int H>
void forward_rows(const Bf16Forward& f, std::int64_t row, std::int64_t first,
                  std::int64_t samples) {
  alignas(64) Bf16 chunk[H][kChunk];
  float sums[kMostSamples][kRows] = {};
  for (std::int64_t c = 0; c < f.columns; c += kChunk) {
    const std::int64_t count = f.columns - c < kChunk ? f.columns - c : kChunk;
    round_chunk<H>(f.weight + row * f.columns + c, f.columns, count, chunk);
    const Bf16* x = f.x + first * f.columns + c;
    Ahead ahead{f.weight + row * f.columns + c + kChunk, f.columns};
    if (f.columns - c <= kChunk) ahead.rows = f.weight + (row + H) * f.columns;
    std::int64_t i = 0;
    for (; i + kSamples <= samples; i += kSamples)
      add_products<H, kSamples>(x + i * f.columns, f.columns, chunk, count,
                                i == 0 ? ahead : Ahead{}, sums + i);
    for (; i < samples; ++i)
      add_products<H, 1>(x + i * f.columns, f.columns, chunk, count, i == 0 ? ahead : Ahead{},
                         sums + i);
  }
  for (std::int64_t i = 0; i < samples; ++i) {
    for (int h = 0; h < H; ++h)
      f.y[(first + i) * f.rows + row + h] = Bf16(sums[i][h] + (f.bias ? f.bias[row + h] : 0));
  }
}

inline void forward(const Bf16Forward& f) {
  for (std::int64_t first = 0; first < f.samples; first += kMostSamples) {
    const std::int64_t rest = f.samples - first,
                       samples = rest < kMostSamples ? rest : kMostSamples;
    std::int64_t row = f.begin;
    for (; row + kRows <= f.end; row += kRows) forward_rows<kRows>(f, row, first, samples);
    for (; row < f.end; ++row) forward_rows<1>(f, row, first, samples);
  }
}

/// Adds to dx of a panel from H rows (even, or one) of weights.
template <int H>
HPMP_INLINE void add_input_gradient(const Bf16Update& u, std::int64_t row, const float* weight,
                                    float* dx) {
  constexpr int kPairs = (H + 1) / 2;
  Pairs w[kPairs][2];
#pragma GCC unroll 8
  for (int q = 0; q < kPairs; ++q) {
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
      const float* at = weight + 2 * q * u.columns + 16 * k;
      w[q][k] =
          interleaved(rounded(load<16>(at), 2 * q + 1 < H ? load<16>(at + u.columns) : Wide{}));
    }
  }
  for (std::int64_t i = 0; i < u.samples; ++i, dx += kBf16Columns) {
    Wide low = load<16>(dx), high = load<16>(dx + 16);
    const Bf16* dy = u.dy + i * u.rows + row;
#pragma GCC unroll 8
    for (int q = 0; q < kPairs; ++q) {
      Pairs factor;
      if constexpr (H == 1) {
        const Bf16 last[2] = {*dy, Bf16(0.F)};
        factor = repeat(last);
      } else {
        factor = repeat(dy + 2 * q);
      }
      low = dot(low, factor, w[q][0]);
      high = dot(high, factor, w[q][1]);
    }
    store<16>(dx, low);
    store<16>(dx + 16, high);
  }
}

/// The gradient of H rows of a panel's weights, and their update.
template <int H, class Step>
HPMP_INLINE void update_weights(const Bf16Update& u, const Step& step, std::int64_t row,
                                std::int64_t column, const Bf16* x) {
  const std::int64_t pairs = (u.samples + 1) / 2;
  const Bf16* dy = u.dy_pairs + 2 * row * pairs;
  Wide grad[H][2] = {};
  for (std::int64_t p = 0; p < pairs; ++p, x += 2 * kBf16Columns) {
    const Pairs low = load_pairs(x), high = load_pairs(x + kBf16Columns);
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) {
      const Pairs factor = repeat(dy + 2 * (h * pairs + p));
      grad[h][0] = dot(grad[h][0], factor, low);
      grad[h][1] = dot(grad[h][1], factor, high);
    }
  }
#pragma GCC unroll 8
  for (int h = 0; h < H; ++h) {
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
      const std::int64_t at = (row + h) * u.columns + column + 16 * k;
      stream<16>(u.grad + at, grad[h][k]);
      step.template run<16>(grad[h][k], u.weight, u.state, at);
    }
  }
}

constexpr int kTall = 8;             // rows of a tile: more of them meet in the same cache sets
constexpr std::int64_t kAhead = 64;  // columns that are asked for early

template <class Step>
HPMP_INLINE void ask_for(const Bf16Update& u, std::int64_t row, std::int64_t column) {
  for (int h = 0; h < kTall; ++h) {
    const std::int64_t at = (row + h) * u.columns + column + kAhead;
    for (std::int64_t line : {0, 16}) {
      __builtin_prefetch(u.weight + at + line, 1);
      for (int s = 0; s < Step::kStates; ++s) __builtin_prefetch(u.state[s] + at + line, 1);
    }
  }
}

template <class Step>
void update_all(const Bf16Update& u, const Step& step) {
  const std::int64_t pairs = (u.samples + 1) / 2;
  for (std::int64_t row = 0; row < u.rows;) {
    const bool tall = row + kTall <= u.rows;
    for (std::int64_t p = u.begin; p < u.end; ++p) {
      const std::int64_t column = p * kBf16Columns;
      const float* weight = u.weight + row * u.columns + column;
      const Bf16* x = u.x + p * pairs * 2 * kBf16Columns;
      float* dx = u.dx ? u.dx + p * u.samples * kBf16Columns : nullptr;
      if (tall) {
        ask_for<Step>(u, row, column);
        if (dx) add_input_gradient<kTall>(u, row, weight, dx);
        update_weights<kTall>(u, step, row, column, x);
      } else {
        if (dx) add_input_gradient<1>(u, row, weight, dx);
        update_weights<1>(u, step, row, column, x);
      }
    }
    row += tall ? kTall : 1;
  }
}

inline void update(const Bf16Update& u) {
  with_step(u.rule, [&](const auto& step) { update_all(u, step); });
  end_streams();
}

inline void pair(const Bf16* first, const Bf16* second, Bf16* to, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) {
    to[2 * c].bits = first[c].bits;
    to[2 * c + 1].bits = second ? second[c].bits : 0;
  }
}

}  // namespace hpmp::cpu::dense::HPMP_ISA

namespace hpmp::cpu::dense {

const Bf16Code& avx512_bf16_code() {
  static constexpr Bf16Code code{avx512_bf16::forward, avx512_bf16::update, avx512_bf16::pair};
  return code;
}

}  // namespace hpmp::cpu::dense
