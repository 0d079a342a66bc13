// C functions that predict what placements promise, and shorten their step time.
#include "capi/handles.h"
#include "capi/machine.h"
#include "capi/wall.h"
#include "plan/predict.h"
#include "planner/improve.h"

namespace hpmp::capi {
namespace {

ImproveOptions options_from_c(const hpmp_improve_options& o) {
  ImproveOptions options;
  options.seed = o.seed;
  options.work = o.work;
  options.seconds = o.seconds;
  options.ladder = o.ladder != 0;
  return options;
}

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

hpmp_status hpmp_predict(const hpmp_hypergraph* hypergraph, const int32_t* part, int32_t ranks,
                         const hpmp_machine* machine, hpmp_prediction* out, int64_t* memory_bytes) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    given(part, "part");
    const Prediction p = predict(h, {part, part + h.cells.size()}, ranks,
                                 machine_from_c(given(machine, "machine"), ranks));
    given(out, "out") = {p.messages,        p.activation_elems, p.parameter_elems,
                         p.imbalance,       p.step_seconds,     p.bubble_fraction,
                         p.compute_seconds, p.network_seconds,  p.activation_bytes,
                         p.parameter_bytes};
    if (memory_bytes) std::copy(p.memory_bytes.begin(), p.memory_bytes.end(), memory_bytes);
  });
}

void hpmp_improve_options_default(hpmp_improve_options* out) {
  const ImproveOptions o;
  if (out) *out = {o.seed, o.work, o.seconds, o.ladder};
}

hpmp_status hpmp_improve(const hpmp_hypergraph* hypergraph, int32_t ranks,
                         const hpmp_machine* machine, const hpmp_improve_options* options,
                         const int32_t* starts, int64_t start_count, int32_t* part,
                         double* seconds) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    given(part, "part");
    const TimedPlacement found =
        improve_time(h, machine_from_c(given(machine, "machine"), ranks), ranks,
                     split_placements(starts, start_count, h.cells.size()),
                     options_from_c(given(options, "options")));
    std::copy(found.part.begin(), found.part.end(), part);
    given(seconds, "seconds") = found.seconds;
  });
}
}
