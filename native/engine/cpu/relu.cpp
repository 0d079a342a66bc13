// relu: max(x, 0), NaN stays NaN; backward reads the output.
#include "engine/cpu/gate.h"

namespace hpmp::cpu {

namespace {

struct Relu {
  float forward(float x) const { return x < 0 ? 0 : x; }
  bool stops(float y) const { return y <= 0; }
};

template <class T>
using ReluGate = Gate<Relu, T>;

}  // namespace

KernelPtr make_relu(const KernelSpec& spec) { return make_stored<ReluGate>(spec, Relu{}); }

}  // namespace hpmp::cpu
