// How much scratch a task's kernels and copies take.
#include <algorithm>

#include "engine/run_task.h"
#include "engine/shared_sums.h"

namespace hpmp {
namespace {

/// Whether the caller may ask for what the group reads.
bool is_sink(const Graph& graph, const Group& group) {
  const OpKind op = graph.node(group.nodes[0]).op;
  return op == OpKind::loss || op == OpKind::output;
}

}  // namespace

std::int64_t task_scratch_bytes(const Graph& graph, const Backend& backend, const BoundTask& task) {
  const Group& group = task.kernels->group();
  const std::int64_t own = total_size(task.kernels->channels());
  const auto tensor = [&](const Shape& s) {
    return Scratch::rounded(task.samples * own * s.h * s.w *
                            elem_bytes(image_type(graph, group, task.kernels->grid())));
  };
  std::int64_t bytes = 0;
  if (task.image != task.kernels->channels()) bytes += 2 * tensor(group.shape);
  const ChainLayout& layout = task.kernels->layout();
  for (std::size_t l = 0; l < layout.links.size(); ++l) {
    const Link& link = layout.links[l];
    const bool in_scratch = l > 0 && layout.buffer[l - 1] == ChainLayout::kScratch;
    if (l > 0 && (in_scratch || !link.gradient_in_place))  // the operand, or its gradient
      bytes += tensor(graph.shape(graph.node(group.nodes[link.begin - 1]).output));
    Kernel* kernel = task.kernels->kernel(l);
    if (kernel != nullptr)
      bytes += Scratch::rounded(static_cast<std::int64_t>(kernel->scratch_bytes()));
  }
  for (const Operand& o : task.operands) {
    bytes += 2 * gather_bytes(o, task.samples);
    if (is_sink(graph, group))
      bytes +=
          Scratch::rounded(backend.plain_room(task.samples * o.channels * o.shape.h * o.shape.w));
  }
  if (!task.kernels->norms().empty()) bytes += 2 * sums_bytes(own);
  return bytes;
}

}  // namespace hpmp
