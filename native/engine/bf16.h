// bf16 as a storage type: loops read and write it, and compute in fp32.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/dtype.h"

namespace hpmp {

/// The upper half of a float. Its functions are part of loops that are compiled once per
/// instruction set, so none of them may be left out of line.
struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  __attribute__((always_inline)) explicit Bf16(float value) : bits(rounded(value)) {}
  /// The nearest, the even one of two; NaN stays NaN.
  __attribute__((always_inline)) static std::uint16_t rounded(float value) {
    const auto whole = __builtin_bit_cast(std::uint32_t, value);
    const std::uint32_t next = whole + 0x7fffU + ((whole >> 16) & 1U);
    return static_cast<std::uint16_t>((value != value ? whole | 0x400000U : next) >> 16);
  }
  __attribute__((always_inline)) operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }
};
static_assert(std::is_trivially_default_constructible_v<Bf16> && sizeof(Bf16) == 2);

template <class T>
constexpr DType kStoredAs = std::is_same_v<T, Bf16> ? DType::bf16 : DType::fp32;

/// f(T{}) with the type T that tensors of `dtype` store.
template <class F>
auto with_storage(DType dtype, const F& f) {
  return dtype == DType::bf16 ? f(Bf16{}) : f(float{});
}

}  // namespace hpmp
