// Copies between tensors of different channels, layouts and types.
#include "engine/cuda/kernels/layout.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

template <class T, int V>
HPMP_DEVICE void copy_channels(const CopyChannelsArgs& a, int i) {
  const int vectors = a.count / V, channel = i % vectors * V;
  const long long row = i / vectors;
  const Floats<V> x = load<T, V>(a.from, row * a.from_c + a.from_first + channel);
  put<T, V>(a.to, row * a.to_c + a.to_first + channel, x, a.accumulate);
}
HPMP_KERNEL(copy_channels, CopyChannelsArgs)

/// Where item i stands on both sides; neighbours are neighbours on the stored side.
struct EdgePlace {
  long long plain, stored;
};

HPMP_DEVICE EdgePlace edge_place(const EdgeArgs& a, int i) {
  const int k = i % a.count, row = i / a.count, pixel = row % a.pixels;
  const long long sample = row / a.pixels;
  return {(sample * a.plain_c + a.first + k) * a.pixels + pixel,
          static_cast<long long>(row) * a.stored_c + a.packed + k};
}

template <class T, int V>
HPMP_DEVICE void take_plain(const EdgeArgs& a, int i) {
  const EdgePlace at = edge_place(a, i);
  store<T, 1>(a.to, at.stored, load<float, 1>(a.from, at.plain));
}
HPMP_NARROW_KERNEL(take_plain, EdgeArgs)

template <class T, int V>
HPMP_DEVICE void give_plain(const EdgeArgs& a, int i) {
  const EdgePlace at = edge_place(a, i);
  store<float, 1>(a.to, at.plain, load<T, 1>(a.from, at.stored));
}
HPMP_NARROW_KERNEL(give_plain, EdgeArgs)

/// The plain place of element i of a stored filter.
HPMP_DEVICE long long plain_filter(const FilterArgs& a, long long i) {
  if (a.taps == 1) return i;
  const int at = static_cast<int>(i), c = at % a.c, tap = at / a.c % a.taps;
  const long long k = at / a.c / a.taps;
  return (k * a.c + c) * a.taps + tap;
}

template <class T, int V>
HPMP_DEVICE void pack_filter(const FilterArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  store<T, V>(a.to, at, load_row<V>(static_cast<const float*>(a.from) + plain_filter(a, at)));
}
HPMP_KERNEL(pack_filter, FilterArgs)

template <class T, int V>
HPMP_DEVICE void put_filter_grad(const FilterArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  put_row<V>(static_cast<float*>(a.to) + plain_filter(a, at), load<T, V>(a.from, at), a.accumulate);
}
HPMP_KERNEL(put_filter_grad, FilterArgs)

HPMP_DEVICE void swap_filter(const SwapFilterArgs& a, int i) {
  const int tap = i % a.taps, row = i / a.taps % a.rows;
  const int column = i / a.taps / a.rows % a.columns, group = i / a.taps / a.rows / a.columns;
  const long long from =
      ((static_cast<long long>(group) * a.rows + row) * a.columns + column) * a.taps + tap;
  put<float, 1>(a.to, i, load<float, 1>(a.from, from), a.accumulate);
}
HPMP_PLAIN_KERNEL(swap_filter, SwapFilterArgs)

}  // namespace hpmp::cuda
