// Timing the transport: ping-pong between two ranks, and the sum of an array over a group.
#pragma once

#include <vector>

#include "comm/communicator.h"

namespace hpmp {

/// Seconds one way, per repeat; called by both ends, with each other as `peer`. The lower rank
/// begins. Errors: `comm_error`.
std::vector<double> ping_pong(Communicator& comm, Rank peer, std::size_t bytes, int repeats);

/// Seconds of summing `bytes` of floats over ranks [0, group) and giving the sum to each: every
/// rank reduces its share and sends it back, as gradients are reduced in a step. Called by the
/// ranks of the group. Errors: `comm_error`.
std::vector<double> all_reduce(Communicator& comm, int group, std::size_t bytes, int repeats);

}  // namespace hpmp
