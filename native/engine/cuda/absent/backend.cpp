// What a build without the GPU backend (HPMP_CUDA=OFF) says to whoever asks for it.
#include "base/error.h"
#include "engine/cuda/prepare.h"

namespace hpmp {
namespace {

[[noreturn]] void refuse() {
  fail(ErrorCode::device_error,
       "this hpmp was built without CUDA: its build had HPMP_CUDA=OFF; build it again without, or "
       "use --device cpu");
}

}  // namespace

namespace cuda {

std::shared_ptr<Device> Device::open(int) { refuse(); }

}  // namespace cuda

std::unique_ptr<Kernel> prepare_cuda_kernel(const KernelSpec&, cuda::Stream&, cuda::Numerics) {
  refuse();
}

}  // namespace hpmp
