// What lets one text be compiled by nvcc, by NVRTC and, for tests, by the host's compiler: storage
// types, vectors of them, and the entry points. Kernels have no barriers (row.h has), no atomics.
#pragma once

#if defined(__CUDACC__)
#define HPMP_DEVICE __device__ __forceinline__
#else
#include <cmath>
#include <cstdlib>
#define HPMP_DEVICE inline
#endif

namespace hpmp::cuda {

/// The upper half of a float, rounded to nearest even.
struct Bf16 {
  unsigned short bits;
};

#if defined(__CUDACC__)
HPMP_DEVICE float as_float(unsigned bits) { return __uint_as_float(bits); }
HPMP_DEVICE unsigned as_bits(float x) { return __float_as_uint(x); }
#else
HPMP_DEVICE float as_float(unsigned bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
HPMP_DEVICE unsigned as_bits(float x) {
  unsigned bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
#endif
HPMP_DEVICE float infinite() { return as_float(0x7f800000u); }
HPMP_DEVICE float not_a_number() { return as_float(0x7fc00000u); }

HPMP_DEVICE float widen(float x) { return x; }
HPMP_DEVICE float widen(Bf16 x) { return as_float(static_cast<unsigned>(x.bits) << 16); }
HPMP_DEVICE void narrow(float x, float& to) { to = x; }
HPMP_DEVICE void narrow(float x, Bf16& to) {
  const unsigned bits = as_bits(x);
  const unsigned rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  to.bits = static_cast<unsigned short>((x == x ? rounded : bits | 0x400000u) >> 16);
}

template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T at[V];
};

/// V neighbours, computed with in fp32.
template <int V>
struct Floats {
  float at[V];
  HPMP_DEVICE float& operator[](int j) { return at[j]; }
  HPMP_DEVICE float operator[](int j) const { return at[j]; }
};

/// `offset` in elements, a multiple of V; `data` aligned for a Pack.
template <class T, int V>
HPMP_DEVICE Floats<V> load(const void* data, long long offset) {
  const Pack<T, V> pack =
      *reinterpret_cast<const Pack<T, V>*>(static_cast<const T*>(data) + offset);
  Floats<V> x;
  for (int j = 0; j < V; ++j) x[j] = widen(pack.at[j]);
  return x;
}

template <class T, int V>
HPMP_DEVICE void store(void* data, long long offset, const Floats<V>& x) {
  Pack<T, V> pack;
  for (int j = 0; j < V; ++j) narrow(x[j], pack.at[j]);
  *reinterpret_cast<Pack<T, V>*>(static_cast<T*>(data) + offset) = pack;
}

/// V numbers of parameters, 16 bytes at a time where V is more than 1.
template <int V>
HPMP_DEVICE Floats<V> load_row(const float* row) {
  constexpr int kWide = V < 4 ? V : 4;
  Floats<V> x;
  for (int k = 0; k < V; k += kWide) {
    const Pack<float, kWide> pack = *reinterpret_cast<const Pack<float, kWide>*>(row + k);
    for (int j = 0; j < kWide; ++j) x[k + j] = pack.at[j];
  }
  return x;
}

/// The same of what may be missing.
template <int V>
HPMP_DEVICE Floats<V> load_row(const float* row, int at, float missing) {
  if (row) return load_row<V>(row + at);
  Floats<V> x;
  for (int j = 0; j < V; ++j) x[j] = missing;
  return x;
}

/// Stores x, or adds it to what is there.
template <class T, int V>
HPMP_DEVICE void put(void* data, long long offset, Floats<V> x, int accumulate) {
  if (accumulate) {
    const Floats<V> before = load<T, V>(data, offset);
    for (int j = 0; j < V; ++j) x[j] += before[j];
  }
  store<T, V>(data, offset, x);
}

/// The same of V floats, 16 bytes at a time where V is more than 1.
template <int V>
HPMP_DEVICE void put_row(float* row, const Floats<V>& x, int accumulate) {
  constexpr int kWide = V < 4 ? V : 4;
  for (int k = 0; k < V; k += kWide) {
    Floats<kWide> part;
    for (int j = 0; j < kWide; ++j) part[j] = x[k + j];
    put<float, kWide>(row, k, part, accumulate);
  }
}

/// Held between the bounds; NaN is no bound, and NaN stays NaN.
HPMP_DEVICE float held(float x, float low, float high) {
  if (x < low) return low;
  return x > high ? high : x;
}
/// Whether the bounds keep the gradient of an output of y.
HPMP_DEVICE bool stops(float y, float low, float high) { return y <= low || y >= high; }

/// The entry point `symbol` runs call(args, i) for every i < args.items, in any order.
#if defined(__CUDACC__)
#define HPMP_ENTRY(symbol, Args, call)                       \
  extern "C" __global__ void symbol(const Args args) {       \
    const unsigned step = gridDim.x * blockDim.x;            \
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; \
         i < static_cast<unsigned>(args.items); i += step)   \
      call(args, static_cast<int>(i));                       \
  }
#else
/// Threads run one after the other, backwards or, with HPMP_FAKE_ORDER=forward, forwards. A kernel
/// that counts on their order, or reads before a barrier what another thread writes there, is wrong
/// in one of both.
inline unsigned turn(unsigned t, unsigned threads) {
  static const bool forward = std::getenv("HPMP_FAKE_ORDER") != nullptr;
  return forward ? t : threads - 1 - t;
}
#define HPMP_EXPORTED extern "C" __attribute__((visibility("default")))
#define HPMP_ENTRY(symbol, Args, call)                                                         \
  HPMP_EXPORTED const unsigned symbol##_bytes;                                                 \
  const unsigned symbol##_bytes = sizeof(Args);                                                \
  HPMP_EXPORTED void symbol(const void* params, unsigned grid, unsigned block) {               \
    const Args& args = *static_cast<const Args*>(params);                                      \
    const unsigned threads = grid * block;                                                     \
    for (unsigned t = 0; t < threads; ++t) {                                                   \
      for (unsigned i = turn(t, threads); i < static_cast<unsigned>(args.items); i += threads) \
        call(args, static_cast<int>(i));                                                       \
    }                                                                                          \
  }
#endif

/// name<storage, width> for both types, one element at a time; HPMP_KERNEL also 16 bytes at a time.
#define HPMP_NARROW_KERNEL(name, Args)            \
  HPMP_ENTRY(name##_fp32, Args, (name<float, 1>)) \
  HPMP_ENTRY(name##_bf16, Args, (name<Bf16, 1>))
#define HPMP_KERNEL(name, Args)                        \
  HPMP_NARROW_KERNEL(name, Args)                       \
  HPMP_ENTRY(name##_fp32_wide, Args, (name<float, 4>)) \
  HPMP_ENTRY(name##_bf16_wide, Args, (name<Bf16, 8>))
/// For kernels that touch no stored activations.
#define HPMP_PLAIN_KERNEL(name, Args) HPMP_ENTRY(name##_plain, Args, name)

}  // namespace hpmp::cuda
