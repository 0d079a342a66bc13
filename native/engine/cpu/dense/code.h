// The backward pass of a dense layer whose weights are updated at once, one version per instruction
// set: it reads and writes weights and momentum once, which is what such a layer's time is made of.
#pragma once

#include <cstdint>

namespace hpmp::cpu::dense {

/// Floats that stand together in a panel: samples are packed as [columns /
/// kPanel][samples][kPanel], the last panel filled up with zeros.
constexpr std::int64_t kPanel = 32;

/// Panels [begin, end) of the weights [rows][columns], row-major.
struct Update {
  std::int64_t samples, rows, columns;
  std::int64_t begin, end;
  const float* x;   // panels
  const float* dy;  // [samples][rows]
  float* dx;        // panels, added to: the gradient by the weights before the update; or null
  float *weight, *momentum;
  float* grad;  // [rows][columns], set
  float rate, momentum_factor, decay;
};

struct Code {
  /// g = dy^T x; m = momentum_factor m + (g + decay w); w -= rate m.
  void (*update)(const Update& update);
};

const Code& avx512_code();
const Code& baseline_code();

}  // namespace hpmp::cpu::dense
