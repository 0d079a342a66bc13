// Vectors of channels. Only isa_*.cpp include this and what includes it; nothing here may use an
// inline function that other files use, too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/cpu/vectors.h"
#include "engine/cpu/winograd/code.h"

namespace hpmp::cpu::winograd::HPMP_ISA {

constexpr int kLanes = HPMP_LANES;
using Vector = cpu::HPMP_ISA::Float<kLanes>;

/// Of floats or Bf16.
template <class T>
HPMP_INLINE Vector load(const T* at) {
  return cpu::HPMP_ISA::load<kLanes>(at);
}
template <class T>
HPMP_INLINE void store(T* at, const Vector& v) {
  cpu::HPMP_ISA::store<kLanes>(at, v);
}

}  // namespace hpmp::cpu::winograd::HPMP_ISA
