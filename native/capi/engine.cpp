// C functions of the engine.
#include "engine/engine.h"

#include <algorithm>
#include <functional>

#include "capi/communicator.h"
#include "capi/dlpack.h"
#include "capi/handles.h"
#include "capi/wall.h"

struct hpmp_engine {
  std::shared_ptr<const hpmp::Graph> graph;
  std::shared_ptr<const hpmp::Plan> plan;
  std::unique_ptr<hpmp::Engine> engine;  // after what it reads, so that it goes first
  std::vector<std::int64_t> confusion;   // of the last step
};

namespace hpmp::capi {

namespace {

EngineOptions options_from_c(const hpmp_engine_options& o) {
  EngineOptions options;
  options.seed = o.seed;
  options.threads = o.threads;
  options.trace = o.trace != 0;
  options.comm_timeout_seconds = o.comm_timeout_seconds;
  options.status = o.status;
  options.device = o.device == HPMP_CUDA ? DeviceKind::cuda : DeviceKind::cpu;
  options.gpu = o.gpu;
  options.tf32 = o.tf32 != 0;
  options.label_smoothing = o.label_smoothing;
  if (o.gpu_memory != nullptr) {
    const hpmp_gpu_memory& m = *o.gpu_memory;
    options.gpu_memory = {m.context, m.allocate, m.release, m.stream};
  }
  return options;
}

Engine& engine_of(const hpmp_engine* engine) { return *given(engine, "engine").engine; }

/// Checks index and length, calls `method` with the engine and them.
template <class Data, class Method>
hpmp_status on_param(hpmp_engine* engine, std::int64_t param, Data* data, std::int64_t elems,
                     Method method) {
  return wall([&] {
    Engine& e = engine_of(engine);
    const auto& params = engine->graph->params;
    const Param& p = params[checked_index(param, params.size(), "parameter")];
    given(data, "data");
    check_count(elems, p.elems(), "parameter '" + p.name + "'");
    std::invoke(method, e, ParamId(param), data);
  });
}

int checked_state(const hpmp_engine& engine, std::int32_t state) {
  const int states = optimizer_info(engine.plan->grid.optimizer).states;
  return static_cast<int>(
      checked_index(state, static_cast<std::size_t>(states), "optimizer's array"));
}

Optimizer optimizer_from_c(const hpmp_optimizer& o) {
  return {optimizer_kind_from_c(o.kind), o.lr, o.weight_decay, o.momentum, o.beta1, o.beta2, o.eps};
}

const Shape& input_shape(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.op == OpKind::input) return graph.shape(node.output);
  }
  fail(ErrorCode::invalid_model, "the graph has no input");
}

const float* images_of(const hpmp_engine& engine, const DLTensor* images) {
  const Shape& s = input_shape(*engine.graph);
  const std::int64_t batch = engine.plan->grid.batch;
  std::vector<std::vector<std::int64_t>> shapes{{batch, s.c, s.h, s.w}};
  if (s.h == 1 && s.w == 1) shapes.push_back({batch, s.c});
  return float_data(given(images, "images"), "images", shapes);
}

/// (batch), or (batch, h, w) where the logits are maps.
std::vector<std::int64_t> labels_shape(const hpmp_engine& engine) {
  const Graph& graph = *engine.graph;
  const Node& head = graph.node(graph.value(graph.outputs.at(0)).producer);
  const Shape logits = head.op == OpKind::loss ? graph.shape(head.inputs[0]) : Shape{};
  if (logits.h * logits.w == 1) return {engine.plan->grid.batch};
  return {engine.plan->grid.batch, logits.h, logits.w};
}

const std::int64_t* labels_of(const hpmp_engine& engine, const DLTensor* labels) {
  return int64_data(given(labels, "labels"), "labels", labels_shape(engine));
}

void give(hpmp_engine& engine, const StepResult& result, hpmp_step_result* out) {
  engine.confusion = result.confusion;
  if (out) *out = {result.loss, result.correct, result.counted, result.host_seconds};
}

void give(const std::vector<std::int64_t>& values, std::int64_t* out, std::int64_t count) {
  given(out, "out");
  check_count(count, static_cast<std::int64_t>(values.size()), "the array for counters");
  std::copy(values.begin(), values.end(), out);
}

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

int32_t hpmp_dtype_runs(hpmp_dtype dtype, hpmp_device device) {
  const DeviceKind kind = device == HPMP_CUDA ? DeviceKind::cuda : DeviceKind::cpu;
  return dtype == HPMP_FP32 || (dtype == HPMP_BF16 && runs_dtype(DType::bf16, kind));
}

hpmp_status hpmp_gpu_count(int32_t* out) {
  return wall([&] {
    std::string why;
    given(out, "out") = count_gpus(why);
    if (*out == 0) fail(ErrorCode::device_error, why);
  });
}

void hpmp_engine_options_default(hpmp_engine_options* out) {
  const EngineOptions o;
  if (out)
    *out = {o.seed, o.threads, o.trace, o.comm_timeout_seconds, o.status, HPMP_CPU,
            o.gpu,  o.tf32,    nullptr, o.label_smoothing};
}

hpmp_status hpmp_engine_create(const hpmp_graph* graph, const hpmp_plan* plan,
                               hpmp_communicator* communicator, const hpmp_engine_options* options,
                               hpmp_engine** out) {
  return wall([&] {
    auto handle = std::make_unique<hpmp_engine>();
    handle->graph = given(graph, "graph").graph;
    handle->plan = given(plan, "plan").plan;
    if (handle->plan->graph_hash != graph->hash) {
      fail(ErrorCode::invalid_plan, "the plan was made for another graph (" +
                                        handle->plan->graph_hash + ", not " + graph->hash +
                                        "); plan this model again");
    }
    Communicator& comm = *given(communicator, "communicator").communicator;
    if (comm.size() != handle->plan->ranks) {
      fail(ErrorCode::invalid_argument, "the plan is for " + std::to_string(handle->plan->ranks) +
                                            " ranks, the communicator has " +
                                            std::to_string(comm.size()) +
                                            "; plan for as many ranks as run");
    }
    handle->engine = Engine::create(*handle->graph, *handle->plan, comm,
                                    options_from_c(given(options, "options")));
    given(out, "out") = handle.release();
  });
}

void hpmp_engine_free(hpmp_engine* engine) { delete engine; }

hpmp_status hpmp_engine_set_param(hpmp_engine* engine, int64_t param, const float* data,
                                  int64_t elems) {
  return on_param(engine, param, data, elems, &Engine::set_param);
}

hpmp_status hpmp_engine_get_param(hpmp_engine* engine, int64_t param, float* data, int64_t elems) {
  return on_param(engine, param, data, elems, &Engine::get_param);
}

hpmp_status hpmp_engine_get_grad(hpmp_engine* engine, int64_t param, float* data, int64_t elems) {
  return on_param(engine, param, data, elems, &Engine::get_param_grad);
}

hpmp_status hpmp_engine_set_state(hpmp_engine* engine, int64_t param, int32_t state,
                                  const float* data, int64_t elems) {
  return on_param(engine, param, data, elems, [&](Engine& e, ParamId p, const float* values) {
    e.set_state(p, checked_state(*engine, state), values);
  });
}

hpmp_status hpmp_engine_get_state(hpmp_engine* engine, int64_t param, int32_t state, float* data,
                                  int64_t elems) {
  return on_param(engine, param, data, elems, [&](Engine& e, ParamId p, float* values) {
    e.get_state(p, checked_state(*engine, state), values);
  });
}

hpmp_status hpmp_engine_set_step(hpmp_engine* engine, int64_t step) {
  return wall([&] {
    if (step < 0) fail(ErrorCode::invalid_argument, "an engine cannot go on after a negative step");
    engine_of(engine).set_step(static_cast<std::uint64_t>(step));
  });
}

hpmp_status hpmp_engine_set_own_labels(hpmp_engine* engine, int32_t own) {
  return wall([&] { engine_of(engine).set_own_labels(own != 0); });
}

hpmp_status hpmp_engine_set_trace(hpmp_engine* engine, int32_t trace) {
  return wall([&] { engine_of(engine).set_trace(trace != 0); });
}

hpmp_status hpmp_engine_train_step(hpmp_engine* engine, const DLTensor* images,
                                   const DLTensor* labels, const hpmp_optimizer* optimizer,
                                   hpmp_step_result* out) {
  return wall([&] {
    Engine& e = engine_of(engine);
    const Optimizer asked = optimizer_from_c(given(optimizer, "optimizer"));
    give(*engine, e.train_step(images_of(*engine, images), labels_of(*engine, labels), asked), out);
  });
}

hpmp_status hpmp_engine_forward(hpmp_engine* engine, const DLTensor* images, const DLTensor* labels,
                                float* const* outputs, int64_t output_count,
                                hpmp_step_result* out) {
  return wall([&] {
    Engine& e = engine_of(engine);
    if (output_count > 0) given(outputs, "outputs");
    const std::vector<float*> wanted(outputs, outputs + output_count);
    give(*engine,
         e.forward(images_of(*engine, images), labels ? labels_of(*engine, labels) : nullptr,
                   wanted),
         out);
  });
}

hpmp_status hpmp_engine_confusion(const hpmp_engine* engine, int64_t* out, int64_t* count) {
  return wall([&] {
    engine_of(engine);
    const auto room = given(count, "count");
    *count = static_cast<std::int64_t>(engine->confusion.size());
    if (out) {
      check_count(room, *count, "the array for pixels by class");
      std::copy(engine->confusion.begin(), engine->confusion.end(), out);
    }
  });
}

hpmp_status hpmp_engine_sent_by_net(const hpmp_engine* engine, int64_t* out, int64_t count) {
  return wall([&] { give(engine_of(engine).sent_by_net(), out, count); });
}

hpmp_status hpmp_engine_sent_by_peer(const hpmp_engine* engine, int64_t* out, int64_t count) {
  return wall([&] { give(engine_of(engine).sent_by_peer(), out, count); });
}

hpmp_status hpmp_engine_sent_bytes(const hpmp_engine* engine, int64_t* out) {
  return wall([&] {
    const SentBytes sent = engine_of(engine).sent_bytes();
    std::copy(sent.begin(), sent.end(), &given(out, "out"));
  });
}

hpmp_status hpmp_engine_net_count(const hpmp_engine* engine, int64_t* out) {
  return wall([&] {
    given(out, "out") = static_cast<std::int64_t>(engine_of(engine).sent_by_net().size());
  });
}

hpmp_status hpmp_engine_reset_counters(hpmp_engine* engine) {
  return wall([&] { engine_of(engine).reset_counters(); });
}

hpmp_status hpmp_engine_memory(const hpmp_engine* engine, int64_t* out) {
  return wall([&] { given(out, "out") = engine_of(engine).memory_bytes(); });
}

hpmp_status hpmp_engine_trace(const hpmp_engine* engine, int32_t* instruction,
                              double* start_seconds, double* end_seconds, int64_t* count) {
  return wall([&] {
    const std::vector<TraceEvent>& events = engine_of(engine).trace();
    const auto room = given(count, "count");
    *count = static_cast<std::int64_t>(events.size());
    if (!instruction) return;
    check_count(room, *count, "the array for trace events");
    for (std::size_t i = 0; i < events.size(); ++i) {
      instruction[i] = events[i].instr;
      start_seconds[i] = events[i].start_seconds;
      end_seconds[i] = events[i].end_seconds;
    }
  });
}
}
