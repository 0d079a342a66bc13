// The loops over pixels of batch_norm and of what is fused behind it, one version per instruction
// set.
#pragma once

#include "engine/bf16.h"
#include "engine/cpu/bounds.h"
#include "engine/cpu/sums.h"

namespace hpmp::cpu::norm {

constexpr int kMostChannels = 16;  // of a ChunkView

/// What a pass knows of a chunk's channels: v = (x - mean) * factor + offset.
struct Channels {
  float mean[kMostChannels], invstd[kMostChannels], factor[kMostChannels], offset[kMostChannels];
};

/// The gradient of y on its way to x. Pointers may be equal: everything is elementwise.
template <class T>
struct GradientSums {
  const T *x, *dy;
  const T* y;             // of the forward pass, or null: the bounds are looked up in v
  T* kept;                // what the bounds let pass goes there, or null
  T* added;               // and is added there, or null
  double *sum, *product;  // [width]: of what passed, and of it times (x - mean)
};

/// dx (=|+=) factor * (passed - shift - slope * (x - mean)).
template <class T>
struct InputGradient {
  const T *x, *dy;
  const float *shift, *slope;  // [width]
  bool bounded;                // dy is not what passed yet: look up the bounds in v
  T* dx;
  bool accumulate;
};

/// On tensors of T, float or Bf16.
template <class T>
struct Code {
  /// sum[j] of x[j] and squares[j] of x[j]^2 over the pixels.
  void (*moments)(ChunkView view, const T* x, double* sum, double* squares);
  /// y = held(v + other); other may be null.
  void (*normalise)(ChunkView view, const Channels& channels, Bounds bounds, const T* x,
                    const T* other, T* y);
  void (*gradient_sums)(ChunkView view, const Channels& channels, Bounds bounds, GradientSums<T> g);
  void (*input_gradient)(ChunkView view, const Channels& channels, Bounds bounds,
                         InputGradient<T> g);
};

const Code<float>& avx512_code();
const Code<Bf16>& avx512_bf16_code();
const Code<float>& baseline_code();
const Code<Bf16>& baseline_bf16_code();

}  // namespace hpmp::cpu::norm
