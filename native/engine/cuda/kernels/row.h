// Kernels of one block per row, whose threads meet at barriers: a body is a sequence of phases.
#pragma once

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

constexpr int kRowThreads = 128;

/// What the threads of a row leave each other: thread t writes [t] in one phase, all read all of
/// them in later ones, in order, so that sums do not depend on timing.
struct RowShared {
  double sum[kRowThreads];
  float highest[kRowThreads];
  int top[kRowThreads];
};

/// Of what the threads left, in their order.
template <class T>
HPMP_DEVICE double sum_of(const T (&left)[kRowThreads]) {
  double sum = 0;
  for (int t = 0; t < kRowThreads; ++t) sum += left[t];
  return sum;
}

/// Body::run(args, row, thread, phase, shared) for each phase of [0, Body::kPhases) in turn.
#if defined(__CUDACC__)
#define HPMP_ROW_ENTRY(symbol, Args, Body)                                  \
  extern "C" __global__ void symbol(const Args args) {                      \
    __shared__ RowShared shared;                                            \
    for (int row = blockIdx.x; row < args.items; row += gridDim.x) {        \
      for (int phase = 0; phase < Body::kPhases; ++phase) {                 \
        Body::run(args, row, static_cast<int>(threadIdx.x), phase, shared); \
        __syncthreads();                                                    \
      }                                                                     \
    }                                                                       \
  }
#else
#define HPMP_ROW_ENTRY(symbol, Args, Body)                                                         \
  HPMP_EXPORTED const unsigned symbol##_bytes;                                                     \
  const unsigned symbol##_bytes = sizeof(Args);                                                    \
  HPMP_EXPORTED void symbol(const void* params, unsigned, unsigned) {                              \
    const Args& args = *static_cast<const Args*>(params);                                          \
    RowShared shared;                                                                              \
    for (int row = 0; row < args.items; ++row) {                                                   \
      for (int phase = 0; phase < Body::kPhases; ++phase) {                                        \
        for (int thread = kRowThreads; thread-- > 0;) Body::run(args, row, thread, phase, shared); \
      }                                                                                            \
    }                                                                                              \
  }
#endif

#define HPMP_ROW_KERNEL(name, Args)              \
  HPMP_ROW_ENTRY(name##_fp32, Args, name<float>) \
  HPMP_ROW_ENTRY(name##_bf16, Args, name<Bf16>)

}  // namespace hpmp::cuda
