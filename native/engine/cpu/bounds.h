// What relu and clip do, as data: for kernels that fuse them.
#pragma once

namespace hpmp::cpu {

/// Outputs lie between the bounds; NaN is no bound, and NaN stays NaN. No gradient passes at one.
struct Bounds {
  float low, high;
};

}  // namespace hpmp::cpu
