// Kernels whose threads meet at barriers: a body is a sequence of phases. Often a block has a row.
#pragma once

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

constexpr int kRowThreads = 128;

/// What the threads of a row leave each other: thread t writes [t] in one phase, all read all of
/// them in later ones, in order, so that sums do not depend on timing.
struct RowShared {
  double sum[kRowThreads];
  double other[kRowThreads];  // where a row has two sums
  float highest[kRowThreads];
  int top[kRowThreads];
};

/// Of what the threads left, in an order of its own: four sums side by side, which wait less.
template <class T>
HPMP_DEVICE double sum_of(const T (&left)[kRowThreads]) {
  double sum[4] = {0, 0, 0, 0};
  for (int t = 0; t < kRowThreads; t += 4) {
    for (int k = 0; k < 4; ++k) sum[k] += left[t + k];
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

template <class T>
HPMP_DEVICE float element(const void* data, long long at) {
  return widen(static_cast<const T*>(data)[at]);
}

/// Body::run(args, block, thread, phase, shared) for each phase of [0, Body::kPhases) in turn, by
/// all of Body::kThreads threads, for every block < args.items.
#if defined(__CUDACC__)
#define HPMP_BLOCK_ENTRY(symbol, Args, ...)                                   \
  extern "C" __global__ void __launch_bounds__((__VA_ARGS__::kThreads), 2)    \
      symbol(const Args args) {                                               \
    using Body = __VA_ARGS__;                                                 \
    __shared__ typename Body::Shared shared;                                  \
    for (int block = blockIdx.x; block < args.items; block += gridDim.x) {    \
      for (int phase = 0; phase < Body::kPhases; ++phase) {                   \
        Body::run(args, block, static_cast<int>(threadIdx.x), phase, shared); \
        __syncthreads();                                                      \
      }                                                                       \
    }                                                                         \
  }
#else
#define HPMP_BLOCK_ENTRY(symbol, Args, ...)                                                 \
  HPMP_EXPORTED const unsigned symbol##_bytes;                                              \
  const unsigned symbol##_bytes = sizeof(Args);                                             \
  HPMP_EXPORTED void symbol(const void* params, unsigned, unsigned) {                       \
    using Body = __VA_ARGS__;                                                               \
    const Args& args = *static_cast<const Args*>(params);                                   \
    typename Body::Shared shared;                                                           \
    for (int block = 0; block < args.items; ++block) {                                      \
      for (int phase = 0; phase < Body::kPhases; ++phase) {                                 \
        for (unsigned t = 0; t < Body::kThreads; ++t)                                       \
          Body::run(args, block, static_cast<int>(turn(t, Body::kThreads)), phase, shared); \
      }                                                                                     \
    }                                                                                       \
  }
#endif

/// A block per row: Body<T> says kPhases and run.
template <class RowBody>
struct OfRow : RowBody {
  using Shared = RowShared;
  static constexpr int kThreads = kRowThreads;
};

#define HPMP_ROW_KERNEL(name, Args)                       \
  HPMP_BLOCK_ENTRY(name##_fp32, Args, OfRow<name<float>>) \
  HPMP_BLOCK_ENTRY(name##_bf16, Args, OfRow<name<Bf16>>)

}  // namespace hpmp::cuda
