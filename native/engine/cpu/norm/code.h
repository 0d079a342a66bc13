// The loops over pixels of batch_norm and of what is fused behind it, one version per instruction
// set.
#pragma once

#include "engine/cpu/bounds.h"
#include "engine/cpu/sums.h"

namespace hpmp::cpu::norm {

constexpr int kMostChannels = 16;  // of a ChunkView

/// What a pass knows of a chunk's channels: v = (x - mean) * factor + offset.
struct Channels {
  float mean[kMostChannels], invstd[kMostChannels], factor[kMostChannels], offset[kMostChannels];
};

/// The gradient of y on its way to x. Pointers may be equal: everything is elementwise.
struct GradientSums {
  const float *x, *dy;
  const float* y;         // of the forward pass, or null: the bounds are looked up in v
  float* kept;            // what the bounds let pass goes there, or null
  float* added;           // and is added there, or null
  double *sum, *product;  // [width]: of what passed, and of it times (x - mean)
};

/// dx (=|+=) factor * (passed - shift - slope * (x - mean)).
struct InputGradient {
  const float *x, *dy;
  const float *shift, *slope;  // [width]
  bool bounded;                // dy is not what passed yet: look up the bounds in v
  float* dx;
  bool accumulate;
};

struct Code {
  /// sum[j] of x[j] and squares[j] of x[j]^2 over the pixels.
  void (*moments)(ChunkView view, const float* x, double* sum, double* squares);
  /// y = held(v + other); other may be null.
  void (*normalise)(ChunkView view, const Channels& channels, Bounds bounds, const float* x,
                    const float* other, float* y);
  void (*gradient_sums)(ChunkView view, const Channels& channels, Bounds bounds, GradientSums g);
  void (*input_gradient)(ChunkView view, const Channels& channels, Bounds bounds, InputGradient g);
};

const Code& avx512_code();
const Code& baseline_code();

}  // namespace hpmp::cpu::norm
