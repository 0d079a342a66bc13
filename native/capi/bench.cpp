// C functions of the benchmarks.
#include <algorithm>

#include "capi/communicator.h"
#include "capi/handles.h"
#include "capi/wall.h"
#include "comm/comm_bench.h"
#include "engine/device_bench.h"
#include "engine/host_bench.h"
#include "engine/link_bench.h"
#include "engine/node_bench.h"

namespace hpmp::capi {
namespace {

void at_least_one(std::int64_t value, const char* what) {
  if (value < 1) {
    fail(ErrorCode::invalid_argument,
         std::string(what) + " is " + std::to_string(value) + "; it is at least 1");
  }
}

Communicator& comm_of(hpmp_communicator* communicator) {
  return *given(communicator, "communicator").communicator;
}

EngineOptions device_of(const hpmp_bench_options& options) {
  EngineOptions device;
  device.device = options.device == HPMP_CUDA ? DeviceKind::cuda : DeviceKind::cpu;
  device.gpu = options.gpu;
  device.tf32 = options.tf32 != 0;
  device.threads = options.threads;
  return device;
}

void give(const std::vector<double>& from, double* to) {
  std::copy(from.begin(), from.end(), &given(to, "seconds"));
}

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

hpmp_status hpmp_bench_node(const hpmp_graph* graph, int64_t index,
                            const hpmp_bench_options* options, double* forward_seconds,
                            double* backward_seconds, double* weights_seconds, double* load_seconds,
                            int64_t* count) {
  return wall([&] {
    const Graph& g = *given(graph, "graph").graph;
    const hpmp_bench_options& o = given(options, "options");
    checked_index(index, g.nodes.size(), "node");
    at_least_one(o.samples, "samples");
    at_least_one(o.repeats, "repeats");
    const PassSamples found = time_node(
        g, NodeId(index),
        {o.samples, o.repeats, o.budget_seconds, o.threads, dtype_from_c(o.dtype), device_of(o)});
    give(found.forward, forward_seconds);
    give(found.backward, backward_seconds);
    give(found.weights, weights_seconds);
    give(found.load, load_seconds);
    given(count, "count") = static_cast<int64_t>(found.forward.size());
  });
}

hpmp_status hpmp_bench_device(const hpmp_bench_options* options, hpmp_device_figures* out) {
  return wall([&] {
    const hpmp_bench_options& o = given(options, "options");
    at_least_one(o.repeats, "repeats");
    const DeviceFigures f = measure_device(o.repeats, device_of(o));
    given(out, "out") = {o.device == HPMP_CPU ? measure_multiply_adds(o.repeats) : 0,
                         f.pack_bytes_per_second, f.update_seconds_per_elem,
                         f.to_host_bytes_per_second, f.to_device_bytes_per_second};
  });
}

hpmp_status hpmp_bench_ping_pong(hpmp_communicator* communicator, int32_t peer, int64_t bytes,
                                 int32_t repeats, double* seconds) {
  return wall([&] {
    Communicator& comm = comm_of(communicator);
    checked_index(peer, static_cast<std::size_t>(comm.size()), "peer");
    at_least_one(bytes, "bytes");
    at_least_one(repeats, "repeats");
    give(ping_pong(comm, peer, static_cast<std::size_t>(bytes), repeats), seconds);
  });
}

hpmp_status hpmp_bench_link(hpmp_communicator* communicator, int32_t peer, int64_t bytes,
                            int32_t repeats, const hpmp_bench_options* options, double* seconds) {
  return wall([&] {
    Communicator& comm = comm_of(communicator);
    checked_index(peer, static_cast<std::size_t>(comm.size()), "peer");
    at_least_one(bytes, "bytes");
    at_least_one(repeats, "repeats");
    give(device_ping_pong(comm, peer, bytes, repeats, device_of(given(options, "options"))),
         seconds);
  });
}

hpmp_status hpmp_bench_all_reduce(hpmp_communicator* communicator, int32_t group, int64_t bytes,
                                  int32_t repeats, double* seconds) {
  return wall([&] {
    Communicator& comm = comm_of(communicator);
    checked_index(group - 1, static_cast<std::size_t>(comm.size()), "last rank of the group,");
    at_least_one(bytes, "bytes");
    at_least_one(repeats, "repeats");
    give(all_reduce(comm, group, static_cast<std::size_t>(bytes), repeats), seconds);
  });
}
}
