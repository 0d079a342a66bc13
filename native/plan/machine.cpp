#include "plan/machine.h"

namespace hpmp {
namespace {

// How much faster ops are on bf16: measured on AVX-512 with AVX512-BF16, medians of the shapes that
// hpmp-bench measures.
constexpr double kMixingGain = 1.8, kLocalGain = 1.5;

/// Elements of the weight's rows that the region uses.
double weight_elems(const Graph& graph, const Node& node, const Region& r) {
  return static_cast<double>(params_rows(graph, node, r, 0).size() *
                             graph.param(node.params[0]).row_elems());
}

PassTriple rates_of(const Machine& m, const Graph& graph, const Node& node) {
  if (const auto measured = rate_of(m.rates, op_shape(graph, node))) return *measured;
  const double rate = multiplies(node.op) ? m.flops_per_second : m.memory_bytes_per_second;
  return {rate, rate, rate};
}

double copy_seconds(const Machine& m, double bytes) { return bytes / m.pack_bytes_per_second; }

double seconds_of(double work, double per_second) {
  return work > 0 && per_second > 0 ? work / per_second : 0;
}

/// One node of a chain. Without `input_gradient` the pass that makes it is left out.
PassSeconds node_seconds(const Machine& m, const Graph& graph, const Node& node, const Region& r,
                         bool input_gradient) {
  const PassTriple work = op_work(graph, node, r), rate = rates_of(m, graph, node);
  PassSeconds s{seconds_of(work.forward, rate.forward), seconds_of(work.weights, rate.weights)};
  if (input_gradient || !multiplies(node.op))
    s.backward += seconds_of(work.backward, rate.backward);
  if (!multiplies(node.op)) return s;
  const PassSeconds& each = node.op == OpKind::dense ? m.dense_weight : m.conv_weight;
  const double elems = weight_elems(graph, node, r);
  s += {each.forward * elems, each.backward * elems};
  return s;
}

/// Copying an operand that is pieced together from several images, and its gradient back.
PassSeconds gather_seconds(const Machine& m, const Graph& graph, const Group& group,
                           const GroupInput& in, const Region& output, const Region& needed) {
  if (in.view.is_whole(graph)) return {};
  const Node& node = graph.node(group.nodes[in.node]);
  double elems = static_cast<double>(needed.n.size() * needed.c.size() * needed.h.size() *
                                     graph.shape(in.view.segments[0].source).w);
  // The cells of a task share one copy.
  if (op_info(node.op).channels == ChannelClass::mixing)
    elems *= static_cast<double>(output.c.size()) / static_cast<double>(group.shape.c);
  const double copy = copy_seconds(m, static_cast<double>(elem_bytes(m.dtype)) * elems);
  const double again = op_info(node.op).backward_reads_input ? copy : 0;
  return {copy, again + (in.requires_grad ? 1.5 * copy : 0)};
}

/// Moved by an optimizer's step per element: the gradient is cleared and read, the weight and every
/// state read and written.
double update_bytes(OptimizerKind kind) { return 4.0 * (4 + 2 * optimizer_info(kind).states); }

bool head_wants_gradient(const Group& group) {
  for (const GroupInput& in : group.inputs) {
    if (in.node == 0 && in.requires_grad) return true;
  }
  return false;
}

}  // namespace

double Machine::speed(Rank r) const {
  return rank_speed.empty() ? 1.0 : rank_speed[static_cast<std::size_t>(r)];
}

PassSeconds& PassSeconds::operator+=(const PassSeconds& o) {
  forward += o.forward;
  backward += o.backward;
  return *this;
}

Machine machine_for(Machine machine, DType dtype) {
  if (machine.dtype == dtype) return machine;
  machine.dtype = dtype;
  const bool gains = dtype == DType::bf16;
  const double mixing = gains ? kMixingGain : 1 / kMixingGain;
  const double local = gains ? kLocalGain : 1 / kLocalGain;
  machine.flops_per_second *= mixing;
  machine.memory_bytes_per_second *= local;
  for (Rate& rate : machine.rates) {
    const double factor = multiplies(rate.shape.op) ? mixing : local;
    rate.per_second.forward *= factor;
    rate.per_second.backward *= factor;
    rate.per_second.weights *= factor;
  }
  return machine;
}

PassSeconds fixed_seconds(const Machine& machine, const Graph&, const Group& group) {
  const double starts = static_cast<double>(group.nodes.size()) * machine.task_overhead_seconds;
  return {starts, starts};
}

std::vector<PassSeconds> chain_seconds(const Machine& machine, const Graph& graph,
                                       const Group& group, const Region& region) {
  std::vector<PassSeconds> seconds(group.nodes.size());
  Region r = region;
  for (std::size_t i = group.nodes.size(); i-- > 0;) {
    const Node& node = graph.node(group.nodes[i]);
    seconds[i] = node_seconds(machine, graph, node, r, i > 0 || head_wants_gradient(group));
    if (i > 0) r = needs(graph, node, r, group.chain_operand[i]);
  }
  return seconds;
}

PassSeconds cell_seconds(const Machine& machine, const Graph& graph, const Group& group,
                         const Region& region) {
  PassSeconds total;
  const std::vector<PassSeconds> chain = chain_seconds(machine, graph, group, region);
  for (std::size_t i = chain.size(); i-- > 0;) total += chain[i];
  for (std::size_t k = 0; k < group.inputs.size(); ++k) {
    total += gather_seconds(machine, graph, group, group.inputs[k], region,
                            group_needs(graph, group, region, k));
  }
  return total;
}

double update_seconds(const Machine& machine, const Graph& graph, const Group& home,
                      std::int64_t elems, OptimizerKind optimizer) {
  const bool conv = graph.node(home.nodes[0]).op == OpKind::conv;
  const double update =
      machine.update_seconds_per_elem * update_bytes(optimizer) / update_bytes(OptimizerKind::sgd);
  const double each = update + (conv ? machine.conv_load_seconds : 0);
  return each * static_cast<double>(elems);
}

double pack_seconds(const Machine& machine, std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  return copy_seconds(machine, size) + size / machine.transport_bytes_per_second;
}

}  // namespace hpmp
