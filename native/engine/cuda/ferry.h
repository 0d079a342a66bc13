// Messages between a GPU's memory and pinned memory of the host, on streams of their own beside
// that of the kernels.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/stream.h"

namespace hpmp::cuda {

/// `kernels`: the stream that packs and unpacks; must outlive it.
std::unique_ptr<Ferry> make_pinned_ferry(Stream& kernels, const std::vector<FerryLoad>& loads);

}  // namespace hpmp::cuda
