// Which input pixels an output pixel of a resampling is made of, worked out once per axis.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hpmp::cpu {

/// A sparse matrix, one row per output position of an axis.
struct Taps {
  std::vector<std::int64_t> begin{0};  // of each output's taps; one more than outputs
  std::vector<std::int64_t> at;        // input positions
  std::vector<float> weight;

  std::int64_t outputs() const { return static_cast<std::int64_t>(begin.size()) - 1; }
  /// Outside of the input: filled with the border's value.
  bool is_outside(std::int64_t o) const {
    return begin[static_cast<std::size_t>(o)] == begin[static_cast<std::size_t>(o) + 1];
  }
};

/// axis 0: rows; 1: columns. `input` is the extent of that axis.
Taps resample_taps(const Attrs& attrs, std::size_t axis, std::int64_t input);

}  // namespace hpmp::cpu
