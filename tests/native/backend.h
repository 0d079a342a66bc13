// The backend whose kernels are tested: the CPU's or, with HPMP_TEST_BACKEND=cuda, a GPU's.
#pragma once

#include <memory>

#include "engine/kernel.h"

namespace kernel_test {

bool on_gpu();

/// Takes pointers of the host on either backend, and is done when a call returns.
std::unique_ptr<hpmp::Kernel> prepare_kernel(const hpmp::KernelSpec& spec);

}  // namespace kernel_test
