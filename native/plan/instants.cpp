#include "plan/instants.h"

#include <algorithm>

namespace hpmp {

MessageTimes message_times(const TaskGraph& graph, const Schedule& schedule, std::int32_t message) {
  const auto m = static_cast<std::size_t>(message);
  const std::size_t i = static_cast<std::size_t>(graph.first_message) + m;
  MessageTimes times{schedule.start[i], schedule.end[i], schedule.makespan};
  if (graph.lead(message).kind == MessageKind::param) {
    times.used = times.arrived;
    return times;
  }
  for (std::int32_t k = graph.after_begin[i]; k < graph.after_begin[i + 1]; ++k) {
    const auto reader = static_cast<std::size_t>(graph.after[static_cast<std::size_t>(k)]);
    times.used = std::min(times.used, schedule.start[reader]);
  }
  return times;
}

}  // namespace hpmp
