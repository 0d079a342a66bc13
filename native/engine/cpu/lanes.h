// Eight channels in a register where that many are left, one otherwise: for loops whose
// accumulators must not go through memory.
#pragma once

#include <cstdint>
#include <cstring>

namespace hpmp::cpu {

using Float8 = float __attribute__((vector_size(32)));
using Int8 = std::int32_t __attribute__((vector_size(32)));

template <class Float>
struct IndexOf;
template <>
struct IndexOf<Float8> {
  using type = Int8;
};
template <>
struct IndexOf<float> {
  using type = std::int32_t;
};

template <class V, class T>
V load_lanes(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V, class T>
void store_lanes(T* to, const V& v) {
  std::memcpy(to, &v, sizeof v);
}

/// f(zero, first lane) with a zero of type Float8 or float, over `width` lanes.
template <class F>
void for_lanes(int width, const F& f) {
  int lane = 0;
  for (; lane + 8 <= width; lane += 8) f(Float8{}, lane);
  for (; lane < width; ++lane) f(float{}, lane);
}

}  // namespace hpmp::cpu
