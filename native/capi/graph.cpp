// C functions of the graph.
#include "capi/handles.h"
#include "capi/wall.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/text.h"

namespace hpmp::capi {

hpmp_graph* graph_handle(Graph graph) {
  auto handle = std::make_unique<hpmp_graph>();
  handle->hash = graph_hash(graph);
  handle->graph = std::make_shared<const Graph>(std::move(graph));
  return handle.release();
}

namespace {

const char* role_name(ParamRole role) {
  switch (role) {
    case ParamRole::weight:
      return "weight";
    case ParamRole::bias:
      return "bias";
    case ParamRole::scale:
      return "scale";
    case ParamRole::shift:
      return "shift";
    case ParamRole::running_mean:
      return "running_mean";
    case ParamRole::running_var:
      return "running_var";
    case ParamRole::slope:
      return "slope";
  }
  fail(ErrorCode::internal, "internal error: a parameter role without a name");
}

hpmp_value_info value_info(const Value& value) {
  return {value.name.c_str(), value.shape.c, value.shape.h, value.shape.w};
}

const Graph& graph_of(const hpmp_graph* graph) { return *given(graph, "graph").graph; }

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

hpmp_status hpmp_graph_parse(const char* text, size_t length, hpmp_graph** out) {
  return wall([&] {
    given(text, "text");
    given(out, "out") = graph_handle(parse_graph({text, length}));
  });
}

void hpmp_graph_free(hpmp_graph* graph) { delete graph; }

hpmp_status hpmp_graph_text(const hpmp_graph* graph, char** out) {
  return wall([&] { given(out, "out") = copied(graph_text(graph_of(graph))); });
}

hpmp_status hpmp_graph_hash(const hpmp_graph* graph, const char** out) {
  return wall([&] { given(out, "out") = given(graph, "graph").hash.c_str(); });
}

hpmp_status hpmp_graph_prepare(const hpmp_graph* graph, int32_t training,
                               const double* loss_weights, int64_t loss_weight_count,
                               hpmp_graph** out) {
  return wall([&] {
    const Graph clean = with_late_flatten(without_dead_nodes(graph_of(graph)));
    const std::vector<double> weights =
        loss_weights ? std::vector<double>(loss_weights, loss_weights + loss_weight_count)
                     : std::vector<double>{1};
    given(out, "out") = graph_handle(training ? with_loss(clean, weights) : with_outputs(clean));
  });
}

hpmp_status hpmp_graph_param_count(const hpmp_graph* graph, int64_t* out) {
  return wall(
      [&] { given(out, "out") = static_cast<std::int64_t>(graph_of(graph).params.size()); });
}

hpmp_status hpmp_graph_param(const hpmp_graph* graph, int64_t index, hpmp_param_info* out) {
  return wall([&] {
    const auto& params = graph_of(graph).params;
    const Param& param = params[checked_index(index, params.size(), "parameter")];
    given(out, "out") = {param.name.c_str(),
                         role_name(param.role),
                         param.dims.data(),
                         static_cast<std::int32_t>(param.dims.size()),
                         param.trainable && !param.is_state(),
                         param.elems()};
  });
}

hpmp_status hpmp_graph_input(const hpmp_graph* graph, hpmp_value_info* out) {
  return wall([&] {
    const Graph& g = graph_of(graph);
    for (const Node& node : g.nodes) {
      if (node.op != OpKind::input) continue;
      given(out, "out") = value_info(g.value(node.output));
      return;
    }
    fail(ErrorCode::invalid_model, "the graph has no input; a model reads one batch of images");
  });
}

hpmp_status hpmp_graph_output_count(const hpmp_graph* graph, int64_t* out) {
  return wall(
      [&] { given(out, "out") = static_cast<std::int64_t>(graph_of(graph).outputs.size()); });
}

hpmp_status hpmp_graph_output(const hpmp_graph* graph, int64_t index, hpmp_value_info* out) {
  return wall([&] {
    const Graph& g = graph_of(graph);
    given(out, "out") =
        value_info(g.value(g.outputs[checked_index(index, g.outputs.size(), "output")]));
  });
}
}
