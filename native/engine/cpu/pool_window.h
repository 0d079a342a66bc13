// Which input rows (or columns) a pooling window covers, worked out once per axis.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hpmp::cpu {

/// The taps of one output position that fall inside the input: begin, begin + dilation, ...
struct PoolWindow {
  std::int64_t begin = 0;
  std::int64_t taps = 0;
  std::int64_t padded_taps = 0;  // taps inside the padded input: what count_include_pad divides by
};

/// axis 0: rows; 1: columns. `input` and `output` are the extents of that axis.
std::vector<PoolWindow> pool_windows(const Attrs& attrs, std::size_t axis, std::int64_t input,
                                     std::int64_t output);

}  // namespace hpmp::cpu
