// Messages through pinned memory of the host.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/lanes.h"

namespace hpmp::cuda {

/// `dock`: pinned; shared with messages whose lives do not meet this one's.
std::unique_ptr<Departure> staged_departure(Lanes& lanes, const FerryLoad& load, std::byte* dock);
std::unique_ptr<Arrival> staged_arrival(Lanes& lanes, const FerryLoad& load, std::byte* dock);

}  // namespace hpmp::cuda
