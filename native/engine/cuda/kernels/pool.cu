// The pools. Backward each input pixel gathers from the windows that have it: nothing is added to
// by two threads.
#include "engine/cuda/kernels/pool.h"

#include "engine/cuda/kernels/portable.h"
#include "engine/cuda/kernels/windows.h"

namespace hpmp::cuda {

/// V winners, 16 bytes at a time where V is more than 1.
template <int V>
struct Winners {
  static constexpr int kWide = V < 4 ? V : 4;
  Pack<int, kWide> of[V / kWide];

  HPMP_DEVICE static const Pack<int, kWide>* at(const int* winners, long long offset) {
    return reinterpret_cast<const Pack<int, kWide>*>(winners + offset);
  }
  HPMP_DEVICE void read(const int* winners, long long offset) {
    for (int k = 0; k < V / kWide; ++k) of[k] = at(winners, offset)[k];
  }
  HPMP_DEVICE void write(int* winners, long long offset) const {
    auto* to = const_cast<Pack<int, kWide>*>(at(winners, offset));
    for (int k = 0; k < V / kWide; ++k) to[k] = of[k];
  }
  HPMP_DEVICE int& operator[](int j) { return of[j / kWide].at[j % kWide]; }
};

/// The greatest of V channels so far, and where.
template <int V>
struct Best {
  Floats<V> value;
  Winners<V> pixel;

  HPMP_DEVICE void meet(const Floats<V>& x, int at) {
    for (int j = 0; j < V; ++j) {
      const bool wins = x[j] > value[j] || x[j] != x[j];
      value[j] = wins ? x[j] : value[j];
      pixel[j] = wins ? at : pixel[j];
    }
  }
};

template <class T, int V>
HPMP_DEVICE Best<V> best_in_window(const MaxPoolArgs& a, const PixelPlace& at) {
  const Taps rows = taps_inside(a.rows, at.h, a.rows.input);
  const Taps columns = taps_inside(a.columns, at.w, a.columns.input);
  const bool empty = rows.count() == 0 || columns.count() == 0;
  const int first = (rows.begin + rows.first * a.rows.dilation) * a.columns.input + columns.begin +
                    columns.first * a.columns.dilation;
  Best<V> best;
  for (int j = 0; j < V; ++j) {
    best.value[j] = -infinite();
    best.pixel[j] = empty ? -1 : first;
  }
  for (int r = rows.first; r < rows.last; ++r) {
    for (int s = columns.first; s < columns.last; ++s) {
      const int pixel = (rows.begin + r * a.rows.dilation) * a.columns.input + columns.begin +
                        s * a.columns.dilation;
      const long long row = static_cast<long long>(at.n) * a.rows.input * a.columns.input + pixel;
      best.meet(load<T, V>(a.x, row * a.c + at.channel), pixel);
    }
  }
  return best;
}

template <class T, int V>
HPMP_DEVICE void max_pool_forward(const MaxPoolArgs& a, int i) {
  const PixelPlace place = pixel_place<V>(i, a.c, a.rows.output, a.columns.output);
  Best<V> best = best_in_window<T, V>(a, place);
  const long long at = static_cast<long long>(i) * V;
  for (int j = 0; j < V; ++j) {
    if (best.pixel[j] >= 0 && stops(best.value[j], a.low, a.high)) best.pixel[j] = -1;
    best.value[j] = held(best.value[j], a.low, a.high);
  }
  if (a.winners) best.pixel.write(a.winners, at);
  store<T, V>(a.y, at, best.value);
}
HPMP_KERNEL(max_pool_forward, MaxPoolArgs)

template <class T, int V>
HPMP_DEVICE void max_pool_backward(const MaxPoolGradArgs& a, int i) {
  const PixelPlace place = pixel_place<V>(i, a.c, a.rows.input, a.columns.input);
  const int own = place.h * a.columns.input + place.w;
  Floats<V> dx{};
  for (int r = 0; r < a.rows.kernel; ++r) {
    const int h = output_of(a.rows, place.h, r);
    for (int s = 0; h >= 0 && s < a.columns.kernel; ++s) {
      const int w = output_of(a.columns, place.w, s);
      if (w < 0) continue;
      const long long row =
          (static_cast<long long>(place.n) * a.rows.output + h) * a.columns.output + w;
      const long long at = row * a.c + place.channel;
      const Floats<V> dy = load<T, V>(a.dy, at);
      Winners<V> winners;
      winners.read(a.winners, at);
      for (int j = 0; j < V; ++j) dx[j] += winners[j] == own ? dy[j] : 0.f;
    }
  }
  put<T, V>(a.dx, static_cast<long long>(i) * V, dx, a.accumulate);
}
HPMP_KERNEL(max_pool_backward, MaxPoolGradArgs)

/// 1 / the taps that an output divides by: those inside the input, or the padded input.
HPMP_DEVICE float share_of(const AveragePoolArgs& a, int h, int w) {
  int count;
  if (a.include_pad) {
    PoolAxis rows = a.rows, columns = a.columns;
    rows.pad = columns.pad = 0;
    count = taps_inside(rows, h, rows.input + a.rows.pad + rows.pad_after).count() *
            taps_inside(columns, w, columns.input + a.columns.pad + columns.pad_after).count();
  } else {
    count = taps_inside(a.rows, h, a.rows.input).count() *
            taps_inside(a.columns, w, a.columns.input).count();
  }
  return count > 0 ? 1.f / static_cast<float>(count) : 0.f;
}

template <class T, int V>
HPMP_DEVICE void average_pool_forward(const AveragePoolArgs& a, int i) {
  const PixelPlace place = pixel_place<V>(i, a.c, a.rows.output, a.columns.output);
  const Taps rows = taps_inside(a.rows, place.h, a.rows.input);
  const Taps columns = taps_inside(a.columns, place.w, a.columns.input);
  const float share = share_of(a, place.h, place.w);
  Floats<V> sum{};
  for (int r = rows.first; r < rows.last; ++r) {
    for (int s = columns.first; s < columns.last; ++s) {
      const long long row =
          (static_cast<long long>(place.n) * a.rows.input + rows.begin + r * a.rows.dilation) *
              a.columns.input +
          columns.begin + s * a.columns.dilation;
      const Floats<V> x = load<T, V>(a.from, row * a.c + place.channel);
      for (int j = 0; j < V; ++j) sum[j] += x[j];
    }
  }
  for (int j = 0; j < V; ++j) sum[j] *= share;
  store<T, V>(a.to, static_cast<long long>(i) * V, sum);
}
HPMP_KERNEL(average_pool_forward, AveragePoolArgs)

template <class T, int V>
HPMP_DEVICE void average_pool_backward(const AveragePoolArgs& a, int i) {
  const PixelPlace place = pixel_place<V>(i, a.c, a.rows.input, a.columns.input);
  Floats<V> dx{};
  for (int r = 0; r < a.rows.kernel; ++r) {
    const int h = output_of(a.rows, place.h, r);
    for (int s = 0; h >= 0 && s < a.columns.kernel; ++s) {
      const int w = output_of(a.columns, place.w, s);
      if (w < 0) continue;
      const long long row =
          (static_cast<long long>(place.n) * a.rows.output + h) * a.columns.output + w;
      const Floats<V> dy = load<T, V>(a.from, row * a.c + place.channel);
      const float share = share_of(a, h, w);
      for (int j = 0; j < V; ++j) dx[j] = fmaf(dy[j], share, dx[j]);
    }
  }
  put<T, V>(a.to, static_cast<long long>(i) * V, dx, a.accumulate);
}
HPMP_KERNEL(average_pool_backward, AveragePoolArgs)

template <class T, int V>
HPMP_DEVICE void spread_pixels(const SpreadArgs& a, int i) {
  const int vectors = a.c / V, sample = i / vectors / a.pixels;
  Floats<V> dy = load<T, V>(a.dy, (static_cast<long long>(sample) * vectors + i % vectors) * V);
  for (int j = 0; j < V; ++j) dy[j] *= a.factor;
  put<T, V>(a.dx, static_cast<long long>(i) * V, dy, a.accumulate);
}
HPMP_KERNEL(spread_pixels, SpreadArgs)

}  // namespace hpmp::cuda
