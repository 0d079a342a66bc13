// The order of a dense layer's weight columns, which its input's memory layout decides.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hpmp {

/// The dense kernel reads one sample as it lies in memory. Returns `order` with
/// stored[:, k] = logical[:, order[k]], where logical columns are in C,H,W order and `stored` is
/// what the kernel expects for an input of this shape and channel block. The identity if h = w = 1.
std::vector<std::int64_t> dense_column_order(const Shape& input, std::int64_t block);

}  // namespace hpmp
