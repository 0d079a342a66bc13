// C functions that predict and shorten the step time of placements.
#include "capi/handles.h"
#include "capi/machine.h"
#include "capi/wall.h"
#include "planner/improve.h"

namespace hpmp::capi {
namespace {

const Hypergraph& hypergraph_of(const hpmp_hypergraph* h) {
  return *given(h, "hypergraph").hypergraph;
}

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

hpmp_status hpmp_step_seconds(const hpmp_hypergraph* hypergraph, const int32_t* part, int32_t ranks,
                              const hpmp_machine* machine, double* out) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    given(part, "part");
    const Placement p = make_placement(h, {part, part + h.cells.size()}, ranks);
    given(out, "out") = step_seconds(h, machine_from_c(given(machine, "machine"), ranks), p);
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
