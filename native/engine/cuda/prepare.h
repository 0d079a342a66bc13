// Ops prepared for a GPU: the Kernel interface with pointers into its memory.
#pragma once

#include "engine/cuda/entry.h"
#include "engine/kernel.h"

namespace hpmp::cuda {

/// What convolutions and dense layers may round to on their way.
enum class Numerics : std::uint8_t { fp32, tf32, bf16 };

/// What GPU kernels are prepared for.
struct Target {
  Stream& stream;  // must outlive the kernels
  DType storage = DType::fp32;
  Numerics numerics = Numerics::fp32;
};

}  // namespace hpmp::cuda

namespace hpmp {

/// As prepare_cpu_kernel, but every pointer given to the kernel (labels and sums included) is of
/// the stream's GPU, every tensor NHWC (block = c); calls return before the work is done,
/// in the stream's order. A label that is no class makes its loss NaN.
/// Errors: `unsupported_op` naming the node; `device_error`.
std::unique_ptr<Kernel> prepare_cuda_kernel(const KernelSpec& spec, cuda::Stream& stream,
                                            cuda::Numerics numerics = cuda::Numerics::fp32);

}  // namespace hpmp
