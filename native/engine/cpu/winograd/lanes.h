// Vectors of channels for one instruction set. Only isa_*.cpp include this and what includes it,
// each compiled for its own instruction set and inside a namespace of its own; nothing here may use
// an inline function that other files use, too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/cpu/winograd/code.h"

#ifndef HPMP_LANES
#error "define HPMP_LANES, the floats of a register, and HPMP_ISA, the namespace"
#endif
#define HPMP_ALWAYS __attribute__((always_inline))

namespace hpmp::cpu::winograd::HPMP_ISA {

constexpr int kLanes = HPMP_LANES;
using Vector = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline HPMP_ALWAYS Vector load(const float* at) { return *reinterpret_cast<const Vector*>(at); }
inline HPMP_ALWAYS void store(float* at, Vector v) { *reinterpret_cast<Vector*>(at) = v; }

}  // namespace hpmp::cpu::winograd::HPMP_ISA
