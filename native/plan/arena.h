// Offsets in one arena from sizes and lifetimes: a pure function.
#pragma once

#include <cstdint>
#include <vector>

namespace hpmp {

struct Lifetime {
  std::int64_t bytes = 0;
  std::int32_t first = 0, last = 0;  // inclusive
  std::int64_t offset = 0;           // result; a multiple of 64
};

/// Greedy by size: the largest tensor first, each at the lowest offset that is free during its
/// whole life (Pisarchyk and Lee 2020, arXiv 2001.03288). Returns the arena's bytes.
std::int64_t assign_offsets(std::vector<Lifetime>& tensors);

/// Bytes that live while each of `instructions` runs; what lies outside of them is cut off.
std::vector<std::int64_t> live_bytes(const std::vector<Lifetime>& tensors,
                                     std::size_t instructions);

}  // namespace hpmp
