// A dense layer on bf16 samples that multiplies as bf16, where the processor does.
#pragma once

#include "engine/cpu/kernels.h"

namespace hpmp::cpu {

/// `inner`: computes what this does not, a backward pass without an update. Returned as it is where
/// the processor or the number of features does not allow bf16 products.
KernelPtr with_bf16_products(const KernelSpec& spec, KernelPtr inner);

}  // namespace hpmp::cpu
