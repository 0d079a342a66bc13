// A small generator with the same stream on every platform, so that a seed means one result.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "base/mix64.h"

namespace hpmp {

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    const std::uint64_t z = mix64(state_);
    state_ += kMix64Step;
    return z;
  }

  /// Uniform in [0, n), n > 0; the bias of the modulus is far below what a search can notice.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// A random order of 0 .. n-1.
  std::vector<std::int32_t> permutation(std::size_t n) {
    std::vector<std::int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
    return order;
  }

 private:
  std::uint64_t state_;
};

}  // namespace hpmp
