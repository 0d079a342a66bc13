// A kernel that computes on fp32 tensors, for tensors of another type: copies them on the way.
#pragma once

#include "engine/cpu/kernels.h"

namespace hpmp::cpu {

/// For ops whose activations are small beside their weights. `inner` is prepared for the same spec
/// with dtype fp32.
KernelPtr through_floats(const KernelSpec& spec, KernelPtr inner);

}  // namespace hpmp::cpu
