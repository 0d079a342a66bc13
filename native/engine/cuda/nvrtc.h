// The kernels' text compiled at first use, for builds that had no nvcc.
#pragma once

#include <string>

namespace hpmp::cuda {

/// The cubin for a GPU of this compute capability, by the NVRTC of HPMP_NVRTC, else the installed
/// one. Errors: `device_error` with the compiler's log, or naming the library that is missing.
std::string compile_kernels(int major, int minor);

}  // namespace hpmp::cuda
