// batch_norm's arithmetic on vectors of channels, for one instruction set. Only norm/isa_*.cpp
// include this, each compiled for its own instruction set and inside a namespace of its own;
// nothing here may use an inline function that other files use, too.
#include <cstdint>

#include "engine/cpu/norm/code.h"
#include "engine/cpu/vectors.h"

namespace hpmp::cpu::norm::HPMP_ISA {

using namespace cpu::HPMP_ISA;

/// Channels that are summed together: of doubles half as many are in a register.
template <class T>
constexpr int kSumLanes = kStoredAs<T> == DType::bf16 ? HPMP_LANES : HPMP_LANES / 2;

template <class T>
constexpr std::int64_t kAhead = 2048 / sizeof(T);  // what comes from memory is asked for early

/// W * K adjacent channels, from channel `first` of the chunk on.
template <int W, int K>
struct Columns {
  static constexpr int kWidth = W, kCount = K;
  int first;
};

/// Calls f with columns that cover `width` channels; W is the widest vector to use.
template <int W, class F>
HPMP_INLINE void for_columns(int width, const F& f) {
  constexpr int kHalf = W < 8 ? W : 8;
  if (width == kMostChannels) return f(Columns<W, kMostChannels / W>{0});
  int first = 0;
  for (; first + 8 <= width; first += 8) f(Columns<kHalf, 8 / kHalf>{first});
  for (; first < width; ++first) f(Columns<1, 1>{first});
}

/// body(offset of the pixel, 0 or 1 by turns).
template <class Body>
HPMP_INLINE void for_pixels(const ChunkView& view, std::int64_t first, const Body& body) {
  std::int64_t p = 0, at = first;
  for (; p + 2 <= view.pixels; p += 2, at += 2 * view.stride) {
    body(at, 0);
    body(at + view.stride, 1);
  }
  if (p < view.pixels) body(at, 0);
}

/// Two sums per channel; where that leaves registers, two of each, so that additions do not wait
/// for each other. Of floats they are summed in double.
template <class T, int W, int K>
struct Sums {
  static constexpr int kTurns = K <= 2 ? 2 : 1;
  Double<W> first[kTurns][K] = {}, second[kTurns][K] = {};

  HPMP_INLINE static Double<W> of(const Float<W>& v) { return wide<W>(v); }
  HPMP_INLINE void add(int turn, int k, const Double<W>& a, const Double<W>& b) {
    first[turn % kTurns][k] += a;
    second[turn % kTurns][k] += a * b;
  }
  /// body(offset of the pixel, 0 or 1 by turns).
  template <class Body>
  HPMP_INLINE void over_pixels(const ChunkView& view, int at, const Body& body) {
    for_pixels(view, at, body);
  }
  HPMP_INLINE void write(double* sum, double* product) const {
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) {
      Double<W> a = first[0][k], b = second[0][k];
      if constexpr (kTurns == 2) {
        a += first[1][k];
        b += second[1][k];
      }
      __builtin_memcpy(sum + k * W, &a, sizeof a);
      __builtin_memcpy(product + k * W, &b, sizeof b);
    }
  }
};

/// Of bf16, whose products are exact in fp32, a run of pixels is summed in fp32, runs in double.
template <int W, int K>
struct Sums<Bf16, W, K> {
  static constexpr std::int64_t kRun = 128;
  Float<W> first[2][K] = {}, second[2][K] = {};
  double firsts[W * K] = {}, seconds[W * K] = {};

  HPMP_INLINE static Float<W> of(const Float<W>& v) { return v; }
  HPMP_INLINE void add(int turn, int k, const Float<W>& a, const Float<W>& b) {
    first[turn][k] += a;
    second[turn][k] += a * b;
  }
  template <class Body>
  HPMP_INLINE void over_pixels(const ChunkView& view, int at, const Body& body) {
    for (std::int64_t p = 0; p < view.pixels; p += kRun) {
      const std::int64_t rest = view.pixels - p;
      for_pixels({rest < kRun ? rest : kRun, view.stride, view.width}, at + p * view.stride, body);
      end_run();
    }
  }
  HPMP_INLINE void end_run() {
    for (int k = 0; k < K; ++k) {
      float a[W], b[W];
      store<W>(a, first[0][k] + first[1][k]);
      store<W>(b, second[0][k] + second[1][k]);
      for (int j = 0; j < W; ++j) {
        firsts[k * W + j] += a[j];
        seconds[k * W + j] += b[j];
      }
      first[0][k] = first[1][k] = second[0][k] = second[1][k] = Float<W>{};
    }
  }
  HPMP_INLINE void write(double* sum, double* product) const {
    __builtin_memcpy(sum, firsts, sizeof firsts);
    __builtin_memcpy(product, seconds, sizeof seconds);
  }
};

/// The constants of the channels of some columns.
template <int W, int K>
struct Constants {
  Float<W> mean[K], factor[K], offset[K];

  HPMP_INLINE Constants(const Channels& c, int first) {
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) {
      mean[k] = load<W>(c.mean + first + k * W);
      factor[k] = load<W>(c.factor + first + k * W);
      offset[k] = load<W>(c.offset + first + k * W);
    }
  }
  HPMP_INLINE Float<W> value(int k, const Float<W>& x) const {
    return (x - mean[k]) * factor[k] + offset[k];
  }
};

/// The bounds in every lane.
template <int W>
struct Gate {
  Float<W> low, high;

  HPMP_INLINE explicit Gate(Bounds bounds)
      : low(Float<W>{} + bounds.low), high(Float<W>{} + bounds.high) {}
  HPMP_INLINE Float<W> held(Float<W> v) const {
    v = v < low ? low : v;
    return v > high ? high : v;
  }
  /// dy where `v` is inside the bounds.
  HPMP_INLINE Float<W> passed(const Float<W>& v, Float<W> dy) const {
    dy = v <= low ? Float<W>{} : dy;
    return v >= high ? Float<W>{} : dy;
  }
};

template <class T>
void moments(ChunkView view, const T* x, double* sum, double* squares) {
  for_columns<kSumLanes<T>>(view.width, [&](auto columns) HPMP_FORCED {
    constexpr int W = decltype(columns)::kWidth, K = decltype(columns)::kCount;
    using Each = Sums<T, W, K>;
    Each sums;
    sums.over_pixels(view, columns.first, [&](std::int64_t at, int turn) HPMP_FORCED {
      __builtin_prefetch(x + at + kAhead<T>);
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k) {
        const auto v = Each::of(load<W>(x + at + k * W));
        sums.add(turn, k, v, v);
      }
    });
    sums.write(sum + columns.first, squares + columns.first);
  });
}

template <class T>
void normalise(ChunkView view, const Channels& channels, Bounds bounds, const T* x, const T* other,
               T* y) {
  for_columns<HPMP_LANES>(view.width, [&](auto columns) HPMP_FORCED {
    constexpr int W = decltype(columns)::kWidth, K = decltype(columns)::kCount;
    const Constants<W, K> constants(channels, columns.first);
    const Gate<W> gate(bounds);
    for_pixels(view, columns.first, [&](std::int64_t at, int) HPMP_FORCED {
      if (other) __builtin_prefetch(other + at + kAhead<T>);
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k, at += W) {
        Float<W> v = constants.value(k, load<W>(x + at));
        if (other) v += load<W>(other + at);
        store<W>(y + at, gate.held(v));
      }
    });
  });
}

enum class LookUp { kNothing, kInput, kOutput };

template <LookUp kBounds, class T>
void gradient_sums_by(ChunkView view, const Channels& channels, Bounds bounds, GradientSums<T> g) {
  for_columns<kSumLanes<T>>(view.width, [&](auto columns) HPMP_FORCED {
    constexpr int W = decltype(columns)::kWidth, K = decltype(columns)::kCount;
    const Constants<W, K> constants(channels, columns.first);
    const Gate<W> gate(bounds);
    using Each = Sums<T, W, K>;
    Each sums;
    sums.over_pixels(view, columns.first, [&](std::int64_t at, int turn) HPMP_FORCED {
      __builtin_prefetch(g.x + at + kAhead<T>);
      __builtin_prefetch(g.dy + at + kAhead<T>);
      if constexpr (kBounds == LookUp::kOutput) __builtin_prefetch(g.y + at + kAhead<T>);
      if (g.added) __builtin_prefetch(g.added + at + kAhead<T>, 1);
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k, at += W) {
        const Float<W> x = load<W>(g.x + at);
        Float<W> dy = load<W>(g.dy + at);
        if constexpr (kBounds == LookUp::kInput) dy = gate.passed(constants.value(k, x), dy);
        if constexpr (kBounds == LookUp::kOutput) dy = gate.passed(load<W>(g.y + at), dy);
        if (g.kept) store<W>(g.kept + at, dy);
        if (g.added) store<W>(g.added + at, load<W>(g.added + at) + dy);
        sums.add(turn, k, Each::of(dy), Each::of(x) - Each::of(constants.mean[k]));
      }
    });
    sums.write(g.sum + columns.first, g.product + columns.first);
  });
}

inline bool is_bounded(const Bounds& bounds) {
  return bounds.low == bounds.low || bounds.high == bounds.high;
}

template <class T>
void gradient_sums(ChunkView view, const Channels& channels, Bounds bounds, GradientSums<T> g) {
  if (!is_bounded(bounds)) {
    gradient_sums_by<LookUp::kNothing>(view, channels, bounds, g);
  } else if (g.y) {
    gradient_sums_by<LookUp::kOutput>(view, channels, bounds, g);
  } else {
    gradient_sums_by<LookUp::kInput>(view, channels, bounds, g);
  }
}

template <bool kBounded, bool kAccumulate, class T>
void input_gradient_by(ChunkView view, const Channels& channels, Bounds bounds,
                       InputGradient<T> g) {
  for_columns<HPMP_LANES>(view.width, [&](auto columns) HPMP_FORCED {
    constexpr int W = decltype(columns)::kWidth, K = decltype(columns)::kCount;
    const Constants<W, K> constants(channels, columns.first);
    const Gate<W> gate(bounds);
    Float<W> shift[K], slope[K];
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) {
      shift[k] = load<W>(g.shift + columns.first + k * W);
      slope[k] = load<W>(g.slope + columns.first + k * W);
    }
    for_pixels(view, columns.first, [&](std::int64_t at, int) HPMP_FORCED {
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k, at += W) {
        const Float<W> x = load<W>(g.x + at);
        Float<W> dy = load<W>(g.dy + at);
        if constexpr (kBounded) dy = gate.passed(constants.value(k, x), dy);
        Float<W> dx = constants.factor[k] * (dy - shift[k] - slope[k] * (x - constants.mean[k]));
        if constexpr (kAccumulate) dx += load<W>(g.dx + at);
        store<W>(g.dx + at, dx);
      }
    });
  });
}

template <class T>
void input_gradient(ChunkView view, const Channels& channels, Bounds bounds, InputGradient<T> g) {
  if (g.bounded && is_bounded(bounds)) {
    if (g.accumulate) return input_gradient_by<true, true>(view, channels, bounds, g);
    return input_gradient_by<true, false>(view, channels, bounds, g);
  }
  if (g.accumulate) return input_gradient_by<false, true>(view, channels, bounds, g);
  input_gradient_by<false, false>(view, channels, bounds, g);
}

template <class T>
constexpr Code<T> make_code() {
  return {moments<T>, normalise<T>, gradient_sums<T>, input_gradient<T>};
}

}  // namespace hpmp::cpu::norm::HPMP_ISA
