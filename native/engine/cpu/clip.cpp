// clip: x held between two bounds, NaN stays NaN; backward reads the output. At a bound there is no
// gradient, as in PyTorch's hardtanh and relu6.
#include "engine/cpu/gate.h"

namespace hpmp::cpu {

namespace {

struct Clip {
  float min, max;

  float forward(float x) const {
    const float held = x < min ? min : x;
    return held > max ? max : held;
  }
  /// Both comparisons are made, without a branch between them.
  bool stops(float y) const { return (y <= min) | (y >= max); }
};

template <class T>
using ClipGate = Gate<Clip, T>;

}  // namespace

KernelPtr make_clip(const KernelSpec& spec) {
  const Bounds bounds = bounds_of(spec, spec.node);
  return make_stored<ClipGate>(spec, Clip{bounds.low, bounds.high});
}

}  // namespace hpmp::cpu
