#include "plan/arena.h"

#include <algorithm>
#include <numeric>

namespace hpmp {

std::int64_t assign_offsets(std::vector<Lifetime>& tensors) {
  constexpr std::int64_t kAlign = 64;
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return tensors[a].bytes > tensors[b].bytes;
  });
  std::vector<std::size_t> placed;  // ascending by offset
  std::int64_t arena = 0;
  for (std::size_t t : order) {
    Lifetime& tensor = tensors[t];
    const std::int64_t bytes = (tensor.bytes + kAlign - 1) / kAlign * kAlign;
    std::int64_t offset = 0;
    for (std::size_t p : placed) {
      const Lifetime& other = tensors[p];
      if (!tensor.meets(other)) continue;
      if (offset + bytes <= other.offset) break;
      offset = std::max(offset, other.offset + (other.bytes + kAlign - 1) / kAlign * kAlign);
    }
    tensor.offset = offset;
    arena = std::max(arena, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), t,
                                   [&](std::size_t a, std::size_t b) {
                                     return tensors[a].offset < tensors[b].offset;
                                   }),
                  t);
  }
  return arena;
}

std::vector<std::int64_t> live_bytes(const std::vector<Lifetime>& tensors,
                                     std::size_t instructions) {
  const auto count = static_cast<std::int64_t>(instructions);
  const auto within = [count](std::int64_t i) {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(i, 0, count));
  };
  std::vector<std::int64_t> live(instructions + 1, 0);
  const auto add = [&](std::int64_t bytes, std::int32_t first, std::int32_t last) {
    if (last < first) return;
    live[within(first)] += bytes;
    live[within(std::int64_t{last} + 1)] -= bytes;
  };
  for (const Lifetime& t : tensors) {
    add(t.bytes, t.first, t.last);
    add(t.bytes, t.again_first, t.again_last);
  }
  std::partial_sum(live.begin(), live.end(), live.begin());
  live.pop_back();
  return live;
}

}  // namespace hpmp
