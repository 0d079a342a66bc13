#include "plan/predict.h"

#include <algorithm>

#include "partition/metrics.h"
#include "plan/fitting.h"

namespace hpmp {
namespace {

double imbalance(const Hypergraph& h, const std::vector<Rank>& part, int ranks) {
  std::vector<std::int64_t> weights(static_cast<std::size_t>(ranks), 0);
  for (std::size_t c = 0; c < part.size(); ++c)
    weights[static_cast<std::size_t>(part[c])] += h.cells[c].weight;
  return imbalance_of(weights);
}

void add_volume(const std::vector<Flow>& flows, DType dtype, Prediction& out) {
  for (const Flow& flow : flows) {
    const bool params = carries_params(flow.kind);
    (params ? out.parameter_elems : out.activation_elems) += flow.elems;
    (params ? out.parameter_bytes : out.activation_bytes) +=
        message_bytes(flow.kind, flow.elems, dtype);
  }
}

/// What the busiest rank and the busiest link alone would take.
void add_bounds(const TaskGraph& graph, Prediction& out) {
  const auto ranks = static_cast<std::size_t>(graph.ranks);
  std::vector<double> compute(ranks, 0), sent(ranks, 0), received(ranks, 0);
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Task& task = graph.tasks[i];
    const auto r = static_cast<std::size_t>(task.rank);
    if (task.kind != TaskKind::message) {
      compute[r] += task.seconds;
      continue;
    }
    const Flow& flow = graph.lead_of_task(static_cast<std::int32_t>(i));
    sent[r] += task.seconds;
    received[static_cast<std::size_t>(flow.to)] += task.seconds;
  }
  const auto most = [](const std::vector<double>& v) {
    return *std::max_element(v.begin(), v.end());
  };
  out.compute_seconds = most(compute);
  out.network_seconds = std::max(most(sent), most(received));
}

}  // namespace

Prediction predict(const Hypergraph& h, const std::vector<Rank>& part, int ranks,
                   const Machine& machine) {
  check_parts(h, part, ranks);
  const StepModel model = make_step_model(h, machine);
  TaskBuilder builder(model, ranks);
  builder.place(part);
  const TaskGraph& tasks = builder.linked();
  Footprint footprint(model, ranks);
  const Schedule schedule = planned_schedule(machine, part, builder, footprint);
  Prediction out;
  out.messages = tasks.messages();
  out.imbalance = imbalance(h, part, ranks);
  out.step_seconds = schedule.makespan;
  out.bubble_fraction = bubble_fraction(schedule, ranks);
  add_volume(tasks.flows, h.grid.dtype, out);
  add_bounds(tasks, out);
  out.memory_bytes = footprint.find(part, builder, schedule);
  return out;
}

}  // namespace hpmp
