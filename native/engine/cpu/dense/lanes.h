// A dense layer's update on vectors of columns, for one instruction set. Only dense/isa_*.cpp
// include this; nothing here may use an inline function that other files use, too.
#include "engine/cpu/dense/code.h"
#include "engine/cpu/update/formula.h"

namespace hpmp::cpu::dense::HPMP_ISA {

using namespace cpu::HPMP_ISA;

/// Rows, or samples, that are in registers with K vectors of columns each.
constexpr int kTall = HPMP_LANES == 16 ? 8 : 4;
constexpr int kVectors = 2;
constexpr int kPrefetch = 64;                   // columns ahead
constexpr int kStep = kVectors * HPMP_LANES;    // columns of a tile, a divisor of kPanel
constexpr int kFew = HPMP_LANES == 16 ? 4 : 2;  // rows, and samples, of products in registers
constexpr std::int64_t kColumns =
    2048;  // of kFew rows, that a core keeps while it goes over samples
static_assert(kPanel % kStep == 0, "panels hold whole tiles");

/// kHeight rows of W * K columns in registers.
template <int W, int K, int kHeight>
struct Tile {
  Float<W> at[kHeight][K];

  HPMP_INLINE void load_from(const float* from, std::int64_t stride) {
#pragma GCC unroll 8
    for (int h = 0; h < kHeight; ++h) {
#pragma GCC unroll 2
      for (int k = 0; k < K; ++k) at[h][k] = load<W>(from + h * stride + k * W);
    }
  }
  HPMP_INLINE void store_to(float* to, std::int64_t stride) const {
#pragma GCC unroll 8
    for (int h = 0; h < kHeight; ++h) {
#pragma GCC unroll 2
      for (int k = 0; k < K; ++k) store<W>(to + h * stride + k * W, at[h][k]);
    }
  }
  /// at[h] += factor[h * stride] * v.
  HPMP_INLINE void add(const float* factor, std::int64_t stride, const float* from) {
    Float<W> v[K];
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k) v[k] = load<W>(from + k * W);
#pragma GCC unroll 8
    for (int h = 0; h < kHeight; ++h) {
      const float f = factor[h * stride];
#pragma GCC unroll 2
      for (int k = 0; k < K; ++k) at[h][k] += f * v[k];
    }
  }
};

/// dx of kSamples samples from kHeight rows; `dx` and `weight` at the tile's first column.
template <int W, int K, int kHeight, int kSamples>
HPMP_INLINE void add_input_gradient(const Update& u, std::int64_t sample, std::int64_t row,
                                    const float* weight, float* dx) {
  Tile<W, K, kSamples> tile;
  tile.load_from(dx + sample * kPanel, kPanel);
  const float* dy = u.dy + sample * u.rows + row;
#pragma GCC unroll 8
  for (int h = 0; h < kHeight; ++h) tile.add(dy + h, u.rows, weight + h * u.columns);
  tile.store_to(dx + sample * kPanel, kPanel);
}

/// The tile of kHeight rows from `row` on at `column`; `panel`: where that column's samples are.
template <int W, int K, int kHeight, class Step>
void update_tile(const Update& u, const Step& step, std::int64_t row, std::int64_t column,
                 std::int64_t panel) {
  if (u.dx) {
    const float* weight = u.weight + row * u.columns + column;
    std::int64_t i = 0;
    for (; i + kTall <= u.samples; i += kTall)
      add_input_gradient<W, K, kHeight, kTall>(u, i, row, weight, u.dx + panel);
    for (; i < u.samples; ++i)
      add_input_gradient<W, K, kHeight, 1>(u, i, row, weight, u.dx + panel);
  }
  Tile<W, K, kHeight> grad{};
  for (std::int64_t i = 0; i < u.samples; ++i)
    grad.add(u.dy + i * u.rows + row, 1, u.x + panel + i * kPanel);
#pragma GCC unroll 8
  for (int h = 0; h < kHeight; ++h) {
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k) {
      const std::int64_t at = (row + h) * u.columns + column + k * W;
      __builtin_prefetch(u.weight + at + kPrefetch, 1);
      for (int s = 0; s < Step::kStates; ++s) __builtin_prefetch(u.state[s] + at + kPrefetch, 1);
      const Float<W> g = grad.at[h][k];
      stream<W>(u.grad + at, g);
      step.template run<W>(g, u.weight, u.state, at);
    }
  }
}

template <int kHeight, class Step>
void update_rows(const Update& u, const Step& step, std::int64_t row) {
  const std::int64_t begin = u.begin * kPanel;
  const std::int64_t end = u.end * kPanel < u.columns ? u.end * kPanel : u.columns;
  const auto panel = [&](std::int64_t c) { return c / kPanel * kPanel * u.samples + c % kPanel; };
  std::int64_t c = begin;
  for (; c + kStep <= end; c += kStep)
    update_tile<HPMP_LANES, kVectors, kHeight>(u, step, row, c, panel(c));
  for (; c < end; ++c) update_tile<1, 1, kHeight>(u, step, row, c, panel(c));
}

inline void update(const Update& u) {
  with_step(u.rule, [&](const auto& step) {
    std::int64_t row = 0;
    for (; row + kTall <= u.rows; row += kTall) update_rows<kTall>(u, step, row);
    for (; row < u.rows; ++row) update_rows<1>(u, step, row);
  });
  end_streams();
}

template <int W>
HPMP_INLINE float total(const Float<W>& v) {
  if constexpr (W == 1) {
    return v;
  } else {
    float lanes[W], sum = 0;
    store<W>(lanes, v);
    for (float lane : lanes) sum += lane;
    return sum;
  }
}

/// Adds the products of columns [begin, end) for kHeight rows and kSamples samples.
template <int W, int kHeight, int kSamples>
HPMP_INLINE void add_products(const Forward& f, std::int64_t row, std::int64_t sample,
                              std::int64_t begin, std::int64_t end) {
  const float* weight = f.weight + row * f.columns;
  const float* x = f.x + sample * f.columns;
  Float<W> sum[kSamples][kHeight] = {};
  for (std::int64_t c = begin; c < end; c += W) {
    Float<W> w[kHeight];
#pragma GCC unroll 8
    for (int h = 0; h < kHeight; ++h) {
      w[h] = load<W>(weight + h * f.columns + c);
      __builtin_prefetch(weight + h * f.columns + c + 4 * kPrefetch);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kSamples; ++i) {
      const Float<W> v = load<W>(x + i * f.columns + c);
#pragma GCC unroll 8
      for (int h = 0; h < kHeight; ++h) sum[i][h] += v * w[h];
    }
  }
  for (int i = 0; i < kSamples; ++i) {
    for (int h = 0; h < kHeight; ++h) f.y[(sample + i) * f.rows + row + h] += total<W>(sum[i][h]);
  }
}

template <int W, int kHeight>
void add_columns(const Forward& f, std::int64_t row, std::int64_t begin, std::int64_t end) {
  std::int64_t i = 0;
  for (; i + kFew <= f.samples; i += kFew) add_products<W, kHeight, kFew>(f, row, i, begin, end);
  for (; i < f.samples; ++i) add_products<W, kHeight, 1>(f, row, i, begin, end);
}

template <int kHeight>
void forward_rows(const Forward& f, std::int64_t row) {
  for (std::int64_t i = 0; i < f.samples; ++i) {
    for (int h = 0; h < kHeight; ++h) f.y[i * f.rows + row + h] = f.bias ? f.bias[row + h] : 0;
  }
  const std::int64_t whole = f.columns / HPMP_LANES * HPMP_LANES;
  for (std::int64_t c = 0; c < whole; c += kColumns)
    add_columns<HPMP_LANES, kHeight>(f, row, c, c + kColumns < whole ? c + kColumns : whole);
  if (whole < f.columns) add_columns<1, kHeight>(f, row, whole, f.columns);
}

inline void forward(const Forward& f) {
  std::int64_t row = f.begin;
  for (; row + kFew <= f.end; row += kFew) forward_rows<kFew>(f, row);
  for (; row < f.end; ++row) forward_rows<1>(f, row);
}

constexpr Code make_code() { return {forward, update}; }

}  // namespace hpmp::cpu::dense::HPMP_ISA
