// Messages that never see the host's memory: the transport takes them from the GPU's, or the
// sender's GPU writes them where they are received.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/lanes.h"

namespace hpmp::cuda {

std::unique_ptr<Departure> unstaged_departure(Lanes& lanes, const FerryLoad& load);
/// Unpacked from its dock.
std::unique_ptr<Arrival> unstaged_arrival(Lanes& lanes, const FerryLoad& load);

}  // namespace hpmp::cuda
