#include "plan/footprint.h"

namespace hpmp {

const std::vector<std::int64_t>& Footprint::find(const std::vector<Rank>& part,
                                                 const TaskBuilder& builder,
                                                 const Schedule& schedule) {
  bytes_ = params_.find(part, builder);
  const std::vector<std::int64_t>& live = live_.find(part, builder.graph(), schedule);
  for (std::size_t r = 0; r < bytes_.size(); ++r) bytes_[r] += live[r];
  return bytes_;
}

}  // namespace hpmp
