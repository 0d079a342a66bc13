// The C functions of the machine model, and of the ops whose speed it holds.
#include "capi/machine.h"

#include <cmath>

#include "base/numbers.h"
#include "capi/handles.h"
#include "capi/wall.h"

namespace hpmp::capi {

namespace {

double positive(double value, const char* field) {
  if (!(value > 0) || !std::isfinite(value)) {
    fail(ErrorCode::invalid_argument,
         std::string("machine: ") + field + " is " + real_text(value) + ", not a number above 0");
  }
  return value;
}

Rate rate_from_c(const hpmp_rate& r) {
  const auto op = op_kind_by_name(&given(r.shape.op, "op of a rate"));
  if (!op) {
    fail(ErrorCode::invalid_argument,
         std::string("machine: a rate of '") + r.shape.op + "', which is no operator");
  }
  const hpmp_op_shape& s = r.shape;
  for (std::int64_t size : {s.kernel, s.stride, s.groups, s.c_in, s.c_out, s.pixels})
    positive(static_cast<double>(size), "a size of a rate");
  return {{*op, s.kernel, s.stride, s.groups, s.c_in, s.c_out, s.pixels},
          {r.per_second.forward, r.per_second.backward, r.per_second.weights}};
}

Recompute recompute_from_c(hpmp_recompute choice) {
  switch (choice) {
    case HPMP_RECOMPUTE_AUTO:
      return Recompute::when_short;
    case HPMP_RECOMPUTE_NEVER:
      return Recompute::never;
    case HPMP_RECOMPUTE_ALWAYS:
      return Recompute::always;
  }
  fail(ErrorCode::invalid_argument, "machine: recompute is " +
                                        std::to_string(static_cast<int>(choice)) +
                                        ", which is none of hpmp_recompute");
}

/// Calls f(field of hpmp_speeds, field of the machine, name) for each.
template <class Speeds, class Model, class F>
void for_each_speed(Speeds& s, Model& m, F f) {
  f(s.flops_per_second, m.flops_per_second, "flops_per_second");
  f(s.memory_bytes_per_second, m.memory_bytes_per_second, "memory_bytes_per_second");
  f(s.link_bytes_per_second, m.link_bytes_per_second, "link_bytes_per_second");
  f(s.link_latency_seconds, m.link_latency_seconds, "link_latency_seconds");
  f(s.transport_bytes_per_second, m.transport_bytes_per_second, "transport_bytes_per_second");
  f(s.task_overhead_seconds, m.task_overhead_seconds, "task_overhead_seconds");
  f(s.pack_bytes_per_second, m.pack_bytes_per_second, "pack_bytes_per_second");
  f(s.update_seconds_per_elem, m.update_seconds_per_elem, "update_seconds_per_elem");
  f(s.conv_load_seconds, m.conv_load_seconds, "conv_load_seconds");
  f(s.conv_weight_forward_seconds, m.conv_weight.forward, "conv_weight_forward_seconds");
  f(s.conv_weight_backward_seconds, m.conv_weight.backward, "conv_weight_backward_seconds");
  f(s.dense_weight_forward_seconds, m.dense_weight.forward, "dense_weight_forward_seconds");
  f(s.dense_weight_backward_seconds, m.dense_weight.backward, "dense_weight_backward_seconds");
}

}  // namespace

Machine machine_from_c(const hpmp_machine& m, int ranks) {
  Machine machine;
  for_each_speed(m.speeds, machine,
                 [](double from, double& to, const char* name) { to = positive(from, name); });
  for (std::int64_t i = 0; m.rates && i < m.rate_count; ++i)
    machine.rates.push_back(rate_from_c(m.rates[i]));
  machine.memory_limit_bytes = m.memory_limit_bytes;
  machine.dtype = dtype_from_c(m.dtype);
  machine.memory_goal_bytes = m.memory_goal_bytes;
  machine.recompute = recompute_from_c(m.recompute);
  if (!m.rank_speed) return machine;
  check_count(m.rank_count, ranks, "machine: rank_speed");
  for (std::int32_t r = 0; r < ranks; ++r)
    machine.rank_speed.push_back(positive(m.rank_speed[r], "rank_speed"));
  return machine;
}

hpmp_op_shape shape_to_c(const OpShape& s) {
  return {op_info(s.op).name, s.kernel, s.stride, s.groups, s.c_in, s.c_out, s.pixels};
}

}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

void hpmp_machine_default(hpmp_machine* out) {
  if (!out) return;
  const Machine m;
  *out = {};
  for_each_speed(out->speeds, m, [](double& to, double from, const char*) { to = from; });
}

const char* hpmp_op_name(int32_t index) {
  const bool known = index >= 0 && index <= static_cast<int32_t>(OpKind::identity);
  return known ? op_info(static_cast<OpKind>(index)).name : nullptr;
}

hpmp_status hpmp_graph_node_count(const hpmp_graph* graph, int64_t* out) {
  return wall(
      [&] { given(out, "out") = static_cast<int64_t>(given(graph, "graph").graph->nodes.size()); });
}

hpmp_status hpmp_graph_node(const hpmp_graph* graph, int64_t index, hpmp_node_info* out) {
  return wall([&] {
    const Graph& g = *given(graph, "graph").graph;
    const Node& node = g.nodes[checked_index(index, g.nodes.size(), "node")];
    const Shape& shape = g.shape(node.output);
    const ChannelClass channels = op_info(node.op).channels;
    const bool computes = channels != ChannelClass::index_map && node.op != OpKind::input;
    const PassTriple work =
        computes ? op_work(g, node, {{0, 1}, {0, shape.c}, {0, shape.h}}) : PassTriple{};
    given(out, "out") = {node.name.c_str(),
                         shape_to_c(op_shape(g, node)),
                         node.params.empty() ? 0 : g.param(node.params[0]).elems(),
                         channels == ChannelClass::index_map,
                         multiplies(node.op),
                         {work.forward, work.backward, work.weights}};
  });
}
}
