// The kernels' code as the driver loads it.
#pragma once

#include <string>

namespace hpmp::cuda {

/// The fatbin of the build or, where it had no nvcc, the text compiled by NVRTC for a GPU of this
/// compute capability. Errors: `device_error` where NVRTC is missing or refuses.
std::string kernel_image(int major, int minor);

}  // namespace hpmp::cuda
