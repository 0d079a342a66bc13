// A window's geometry as the kernels take it.
#pragma once

#include "engine/cuda/kernels/pool.h"
#include "graph/graph.h"

namespace hpmp::cuda {

/// axis 0: rows; 1: columns.
inline PoolAxis axis_of(const Attrs& attrs, std::size_t axis, std::int64_t input,
                        std::int64_t output) {
  return {static_cast<int>(input),
          static_cast<int>(output),
          static_cast<int>(attrs.kernel[axis]),
          static_cast<int>(attrs.strides[axis]),
          static_cast<int>(attrs.pads[axis]),
          static_cast<int>(attrs.pads[axis + 2]),
          static_cast<int>(attrs.dilations[axis])};
}

}  // namespace hpmp::cuda
