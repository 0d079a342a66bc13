#include "engine/cuda/entry.h"

#include <algorithm>
#include <limits>

namespace hpmp::cuda {

unsigned grid_for(const Stream& stream, int items) {
  const auto blocks = (static_cast<unsigned>(items) + kBlock - 1) / kBlock;
  const auto most = static_cast<unsigned>(stream.device()->processors()) * 32;
  return std::max(1u, std::min(blocks, most));
}

int item_count(std::int64_t items) {
  if (items > std::numeric_limits<int>::max())
    fail(ErrorCode::invalid_argument,
         "a tensor of " + std::to_string(items) +
             " items is beyond 2^31 - 1, what GPU kernels count with; use more shards");
  return static_cast<int>(items);
}

}  // namespace hpmp::cuda
