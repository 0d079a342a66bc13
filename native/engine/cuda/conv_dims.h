// A convolution's tensors as cuDNN describes them: {n, c, h, w}, whatever the layout.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/cuda/kernels/conv.h"

namespace hpmp::cuda {

using Dims = std::vector<std::int64_t>;

/// {n, c, h, w} in NHWC order of memory.
inline Dims nhwc_strides(const Dims& d) { return {d[1] * d[2] * d[3], 1, d[3] * d[1], d[1]}; }

inline Dims input_dims(const ConvShape& s) { return {s.n, s.c, s.rows.input, s.columns.input}; }
inline Dims output_dims(const ConvShape& s) { return {s.n, s.k, s.rows.output, s.columns.output}; }
inline Dims filter_dims(const ConvShape& s) {
  return {s.k, s.c / s.groups, s.rows.kernel, s.columns.kernel};
}

/// What the input is padded by behind: as far as the windows reach, which may be less than the
/// pads.
inline std::int64_t reach_behind(const PoolAxis& a) {
  const std::int64_t end = (a.output - 1) * std::int64_t{a.stride} +
                           (a.kernel - 1) * std::int64_t{a.dilation} + 1 - a.pad;
  return std::max<std::int64_t>(0, end - a.input);
}

}  // namespace hpmp::cuda
