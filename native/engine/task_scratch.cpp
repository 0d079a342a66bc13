// How much scratch a task's kernels and copies take.
#include <algorithm>

#include "engine/run_task.h"
#include "engine/shared_sums.h"

namespace hpmp {

std::int64_t task_scratch_bytes(const Graph& graph, const BoundTask& task) {
  const Group& group = task.kernels->group();
  const std::int64_t own = total_size(task.kernels->channels());
  const auto tensor = [&](const Shape& s) {
    return Scratch::rounded(task.samples * own * s.h * s.w * 4);
  };
  std::int64_t bytes = 0;
  if (task.image != task.kernels->channels()) bytes += 2 * tensor(group.shape);
  for (std::size_t i = 0; i < group.nodes.size(); ++i) {
    if (i > 0 && !op_info(graph.node(group.nodes[i]).op).in_place)
      bytes += tensor(graph.shape(graph.node(group.nodes[i - 1]).output));
    Kernel* kernel = task.kernels->kernel(i);
    if (kernel != nullptr)
      bytes += Scratch::rounded(static_cast<std::int64_t>(kernel->scratch_bytes()));
  }
  for (const Operand& o : task.operands) bytes += 2 * gather_bytes(o, task.samples);
  if (!task.kernels->norms().empty()) bytes += 2 * sums_bytes(own);
  return bytes;
}

}  // namespace hpmp
