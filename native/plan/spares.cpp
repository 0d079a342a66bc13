// What lies idle between the two passes when a rank needs most memory.
#include <algorithm>

#include "plan/live_peak.h"

namespace hpmp {

std::vector<LivePeak::Spare> LivePeak::spares(Rank r) {
  std::vector<Spare> spares(model_.groups.size());
  const Instant& peak = peak_at_[static_cast<std::size_t>(r)];
  for (const Holding& here : holdings_) {
    const bool whole = here.own_bytes > 0 && here.own_bytes == here.image_bytes;
    if (here.rank != r || here.again || !whole || !model_.groups[here.group.at()].redoable)
      continue;
    std::int64_t idle = -kept_inputs(here, peak), all = 0;
    for (TensorKind kind : {TensorKind::image, TensorKind::saved}) {
      const std::int64_t bytes = bytes_of(here, kind);
      if (here.spans[static_cast<std::size_t>(kind)].idle(peak)) idle += bytes;
      all += bytes;
    }
    Spare& spare = spares[here.group.at()];
    spare.idle_bytes += std::max<std::int64_t>(idle, 0);
    spare.task_bytes = std::max(spare.task_bytes, all);
  }
  return spares;
}

/// Of the images that are gone at an instant, and that running the task again would need later.
std::int64_t LivePeak::kept_inputs(const Holding& here, const Instant& when) const {
  std::int64_t bytes = 0;
  for (const Touch& t : touches_[here.group.at()].forward[0]) {
    const std::int32_t i = index_[at(t.group, here.shard, here.rank)];
    if (t.kind != TensorKind::image || t.group == here.group || i < 0) continue;
    const Holding& input = holdings_[static_cast<std::size_t>(i)];
    const Span& span = input.spans[static_cast<std::size_t>(TensorKind::image)];
    if (!input.again && span.any && !span.lives(when)) bytes += input.image_bytes;
  }
  return bytes;
}

}  // namespace hpmp
