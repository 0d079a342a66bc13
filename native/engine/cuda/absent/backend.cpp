// What a build without the GPU backend (HPMP_CUDA=OFF) says to whoever asks for it.
#include "engine/backend.h"
#include "base/error.h"
#include "engine/cuda/prepare.h"

namespace hpmp {
namespace {

constexpr const char* kAbsent =
    "this hpmp was built without CUDA: its build had HPMP_CUDA=OFF; build it again without, or use "
    "--device cpu";

[[noreturn]] void refuse() { fail(ErrorCode::device_error, kAbsent); }

}  // namespace

namespace cuda {

std::shared_ptr<Device> Device::open(int, const GpuMemory&) { refuse(); }

}  // namespace cuda

int count_gpus(std::string& why) {
  why = kAbsent;
  return 0;
}

std::unique_ptr<Backend> open_cuda_backend(const EngineOptions&, DType) { refuse(); }

std::unique_ptr<Kernel> prepare_cuda_kernel(const KernelSpec&, cuda::Stream&, cuda::Numerics) {
  refuse();
}

}  // namespace hpmp
