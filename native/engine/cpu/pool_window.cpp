// Pooling windows by counting taps.
#include "engine/cpu/pool_window.h"

namespace hpmp::cpu {

std::vector<PoolWindow> pool_windows(const Attrs& attrs, std::size_t axis, std::int64_t input,
                                     std::int64_t output) {
  std::vector<PoolWindow> windows(static_cast<std::size_t>(output));
  for (std::int64_t o = 0; o < output; ++o) {
    PoolWindow& window = windows[static_cast<std::size_t>(o)];
    for (std::int64_t tap = 0; tap < attrs.kernel[axis]; ++tap) {
      const std::int64_t at =
          o * attrs.strides[axis] - attrs.pads[axis] + tap * attrs.dilations[axis];
      if (at < input + attrs.pads[axis + 2]) ++window.padded_taps;
      if (at < 0 || at >= input) continue;
      if (window.taps++ == 0) window.begin = at;
    }
  }
  return windows;
}

}  // namespace hpmp::cpu
