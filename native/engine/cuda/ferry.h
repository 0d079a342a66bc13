// Messages between a GPU's buffers and the transport, or another rank's GPU: on streams of their
// own beside that of the kernels, nobody waiting.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/stream.h"

namespace hpmp::cuda {

/// `kernels`: the stream that packs and unpacks; must outlive it, as must the loads' memory.
std::unique_ptr<Ferry> make_gpu_ferry(Stream& kernels, const std::vector<FerryLoad>& loads);

}  // namespace hpmp::cuda
