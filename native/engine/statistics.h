// Running statistics: each rank holds an additive part; this makes the whole known where it is
// used.
#pragma once

#include "comm/communicator.h"
#include "comm/wait.h"
#include "engine/param_store.h"

namespace hpmp {

/// Sums the parts of every running statistic at its owner, in rank order, and gives the sum to all
/// its users. Collective. Tags from `first_tag` on must be free. Not part of a training step.
void share_statistics(const Graph& graph, const Plan& plan, Communicator& comm, ParamStore& store,
                      Backend& backend, Tag first_tag, const WaitOptions& options);

}  // namespace hpmp
