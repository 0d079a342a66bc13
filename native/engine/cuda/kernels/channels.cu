// Kernels that treat each channel of [rows][c] by numbers of its own.
#include "engine/cuda/kernels/channels.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

template <class T, int V>
HPMP_DEVICE void scale_channels(const ScaleArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const int channel = i % (a.c / V) * V;
  Floats<V> x = load<T, V>(a.x, at);
  const Floats<V> scale = load_row<V>(a.scale, channel, 1.f);
  const Floats<V> shift = load_row<V>(a.shift, channel, 0.f);
  for (int j = 0; j < V; ++j) x[j] = fmaf(x[j], scale[j], shift[j]);
  put<T, V>(a.y, at, x, a.accumulate);
}
HPMP_KERNEL(scale_channels, ScaleArgs)

template <class T, int V>
HPMP_DEVICE void finish_conv(const FinishArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const int channel = i % (a.c / V) * V;
  Floats<V> y = load<T, V>(a.y, at), other{};
  if (a.addend) other = load<T, V>(a.addend, at);
  const Floats<V> bias = load_row<V>(a.bias, channel, 0.f);
  for (int j = 0; j < V; ++j) y[j] = held(y[j] + bias[j] + other[j], a.low, a.high);
  store<T, V>(a.y, at, y);
}
HPMP_KERNEL(finish_conv, FinishArgs)

template <class T, int V>
HPMP_DEVICE void gate_channels(const GateArgs& a, int i) {
  const int vectors = a.c / V, sample = i / vectors / a.pixels;
  const long long at = static_cast<long long>(i) * V;
  const Floats<V> gate =
      load<T, V>(a.gate, (static_cast<long long>(sample) * vectors + i % vectors) * V);
  Floats<V> x = load<T, V>(a.x, at);
  for (int j = 0; j < V; ++j) x[j] *= gate[j];
  put<T, V>(a.y, at, x, a.accumulate);
}
HPMP_KERNEL(gate_channels, GateArgs)

template <class T, int V>
HPMP_DEVICE void prelu(const PreluArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const int channel = i % (a.c / V) * V;
  const Floats<V> x = load<T, V>(a.x, at);
  Floats<V> y = load<T, V>(a.from, at);
  const Floats<V> slope = load_row<V>(a.shared ? nullptr : a.slope, channel, a.slope[0]);
  for (int j = 0; j < V; ++j) y[j] *= x[j] < 0.f ? slope[j] : 1.f;
  put<T, V>(a.y, at, y, a.accumulate);
}
HPMP_KERNEL(prelu, PreluArgs)

/// SplitMix64's finalizer (Steele, Lea, Flood 2014).
HPMP_DEVICE unsigned long long mix64(unsigned long long x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// A 32-bit mixer of low bias (Wellons 2018).
HPMP_DEVICE unsigned mix32(unsigned x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

/// dropout_key.h's.
HPMP_DEVICE unsigned long long dropout_key(const DropoutArgs& a) {
  const unsigned long long seed = a.numbers ? a.numbers->seed : a.seed;
  const unsigned long long step = a.numbers ? a.numbers->step : a.step;
  return mix64(mix64(mix64(seed) ^ step) ^ a.node);
}

/// The same bits as the CPU's dropout.
template <class T, int V>
HPMP_DEVICE void dropout(const DropoutArgs& a, int i) {
  const int vectors = a.c / V, row = i / vectors, channel = i % vectors * V;
  const unsigned pixel = static_cast<unsigned>(row % a.pixels);
  const unsigned long long sample =
      a.first_sample + static_cast<unsigned long long>(row / a.pixels);
  const unsigned long long key = mix64(dropout_key(a) ^ sample);
  const unsigned low = static_cast<unsigned>(key), high = static_cast<unsigned>(key >> 32);
  const long long at = static_cast<long long>(i) * V;
  Floats<V> x = load<T, V>(a.x, at);
  for (int j = 0; j < V; ++j) {
    const unsigned first =
        static_cast<unsigned>(a.channels[channel + j]) * static_cast<unsigned>(a.pixels);
    const unsigned draw = mix32(mix32(low + (first + pixel) * a.spread) ^ high);
    x[j] = draw < a.limit ? 0.f : x[j] * a.scale;
  }
  put<T, V>(a.y, at, x, a.accumulate);
}
HPMP_KERNEL(dropout, DropoutArgs)

}  // namespace hpmp::cuda
