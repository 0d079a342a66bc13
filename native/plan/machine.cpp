#include "plan/machine.h"

namespace hpmp {

double Machine::speed(Rank r) const {
  return rank_speed.empty() ? 1.0 : rank_speed[static_cast<std::size_t>(r)];
}

PassSeconds& PassSeconds::operator+=(const PassSeconds& o) {
  forward += o.forward;
  backward += o.backward;
  return *this;
}

PassSeconds fixed_seconds(const Machine& machine, const Graph&, const Group&) {
  return {machine.task_overhead_seconds, machine.task_overhead_seconds};
}

PassSeconds cell_seconds(const Machine& machine, const Graph& graph, const Group& group,
                         const Region& region) {
  const Cost c = group_cost(graph, group, region);
  return {c.forward_flops / machine.flops_per_second +
              c.forward_bytes / machine.memory_bytes_per_second,
          c.backward_flops / machine.flops_per_second +
              c.backward_bytes / machine.memory_bytes_per_second};
}

double update_seconds(const Machine& machine, std::int64_t elems) {
  // Read weight, gradient and momentum, write weight and momentum.
  return machine.task_overhead_seconds +
         20.0 * static_cast<double>(elems) / machine.memory_bytes_per_second;
}

double pack_seconds(const Machine& machine, std::int64_t bytes) {
  return 2.0 * static_cast<double>(bytes) / machine.memory_bytes_per_second;
}

}  // namespace hpmp
