// Timing messages between the devices of two ranks, carried as those of a step are.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "engine/engine.h"

namespace hpmp {

/// Seconds one way, per repeat; called by both ends, with each other as `peer`. `bytes` is rounded
/// up to whole floats. Errors: `comm_error`; `device_error`, `out_of_memory`.
std::vector<double> device_ping_pong(Communicator& comm, Rank peer, std::int64_t bytes, int repeats,
                                     const EngineOptions& device);

}  // namespace hpmp
