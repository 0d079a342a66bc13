// A hash of 64 bits to 64 bits, the same on every platform.
#pragma once

#include <cstdint>

namespace hpmp {

/// What a stream of `mix64` adds to its state from number to number.
constexpr std::uint64_t kMix64Step = 0x9e3779b97f4a7c15u;

/// SplitMix64's step and finalizer (Steele, Lea, Flood 2014).
inline std::uint64_t mix64(std::uint64_t x) {
  x += kMix64Step;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace hpmp
