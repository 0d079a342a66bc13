// The backend of the tests in a build without the GPU's.
#include "backend.h"

namespace kernel_test {

bool on_gpu() { return false; }

std::unique_ptr<hpmp::Kernel> prepare_kernel(const hpmp::KernelSpec& spec) {
  return prepare_cpu_kernel(spec);
}

}  // namespace kernel_test
