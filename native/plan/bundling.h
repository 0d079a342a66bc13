// Small messages that travel together, where the step gets no longer by it.
#pragma once

#include <functional>

#include "plan/schedule.h"

namespace hpmp {

/// Lets small messages of one kind between the same two ranks go as one, which costs their latency
/// once. Those of activations and their gradients are ready at almost the same time, or first read
/// by the same task; those of parameters as far as the rest of the step leaves time. What makes the
/// simulated step longer is left alone.
///
/// builder: linked, a message for each flow; afterwards with the messages found. schedule: of it.
/// fits: whether a schedule of the builder's graph keeps the memory. Returns the new schedule,
/// never longer.
Schedule bundle_messages(const Machine& machine, TaskBuilder& builder, const Schedule& schedule,
                         const std::function<bool(const Schedule&)>& fits);

}  // namespace hpmp
