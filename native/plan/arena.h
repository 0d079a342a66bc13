// Offsets in one arena from sizes and lifetimes: a pure function.
#pragma once

#include <cstdint>
#include <vector>

namespace hpmp {

struct Lifetime {
  std::int64_t bytes = 0;
  std::int32_t first = 0, last = 0;               // inclusive
  std::int64_t offset = 0;                        // result; a multiple of 64
  std::int32_t again_first = 0, again_last = -1;  // a second life, if it has one

  bool meets(const Lifetime& o) const {
    const auto meet = [](std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
      return a <= d && c <= b && a <= b && c <= d;
    };
    return meet(first, last, o.first, o.last) || meet(first, last, o.again_first, o.again_last) ||
           meet(again_first, again_last, o.first, o.last) ||
           meet(again_first, again_last, o.again_first, o.again_last);
  }
};

/// Greedy by size: the largest tensor first, each at the lowest offset that is free during its
/// lives (Pisarchyk and Lee 2020, arXiv 2001.03288). Returns the arena's bytes.
std::int64_t assign_offsets(std::vector<Lifetime>& tensors);

/// Bytes that live while each of `instructions` runs; what lies outside of them is cut off.
std::vector<std::int64_t> live_bytes(const std::vector<Lifetime>& tensors,
                                     std::size_t instructions);

}  // namespace hpmp
