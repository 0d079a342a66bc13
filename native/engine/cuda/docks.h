// Docks on a GPU: within a process other ranks write them as they are, from other processes of the
// host by a handle of CUDA's (IPC).
#pragma once

#include "engine/cuda/stream.h"
#include "engine/ferry.h"

namespace hpmp::cuda {

/// `stream` must outlive them. HPMP_GPU_IPC=0: nobody else reaches them, and they reach nobody.
std::unique_ptr<Docks> make_gpu_docks(Stream& stream, std::int64_t bytes);

}  // namespace hpmp::cuda
