// Eight channels in a register where that many are left, one otherwise: for loops whose
// accumulators must not go through memory.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/bf16.h"

namespace hpmp::cpu {

using Float8 = float __attribute__((vector_size(32)));
using Int8 = std::int32_t __attribute__((vector_size(32)));
using Word8 = std::uint32_t __attribute__((vector_size(32)));
using Short8 = std::uint16_t __attribute__((vector_size(16)));

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
template <class V>
V load_lanes(const Bf16* from) {
  if constexpr (sizeof(V) == sizeof(float)) {
    return *from;
  } else {
    Short8 halves;
    std::memcpy(&halves, from, sizeof halves);
    return (V)(__builtin_convertvector(halves, Word8) << 16);
  }
}

/// Of numbers that T holds without rounding.
template <class V, class T>
void store_held_lanes(T* to, const V& v) {
  std::memcpy(to, &v, sizeof v);
}
template <class V>
void store_held_lanes(Bf16* to, const V& v) {
  if constexpr (sizeof(V) == sizeof(float)) {
    *to = Bf16(v);
  } else {
    const Short8 halves = __builtin_convertvector((Word8)v >> 16, Short8);
    std::memcpy(to, &halves, sizeof halves);
  }
}

template <class V, class T>
void store_lanes(T* to, const V& v) {
  std::memcpy(to, &v, sizeof v);
}
template <class V>
void store_lanes(Bf16* to, const V& v) {
  if constexpr (sizeof(V) == sizeof(float)) {
    *to = Bf16(v);
  } else {
    const Word8 whole = (Word8)v;
    const Word8 rounded = whole + 0x7fffU + ((whole >> 16) & 1U);
    const Word8 kept = (v != v ? whole | 0x400000U : rounded) >> 16;
    const Short8 halves = __builtin_convertvector(kept, Short8);
    std::memcpy(to, &halves, sizeof halves);
  }
}

/// f(zero, first lane) with a zero of type Float8 or float, over `width` lanes.
template <class F>
void for_lanes(int width, const F& f) {
  int lane = 0;
  for (; lane + 8 <= width; lane += 8) f(Float8{}, lane);
  for (; lane < width; ++lane) f(float{}, lane);
}

}  // namespace hpmp::cpu
