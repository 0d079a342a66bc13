// All inner loops of Winograd convolution for one instruction set.
#pragma once

#include "engine/cpu/winograd/products.h"
#include "engine/cpu/winograd/transforms.h"

namespace hpmp::cpu::winograd::HPMP_ISA {

inline Code make_code() {
  return {kLanes,
          transform_input,
          transform_output,
          transform_output_grad,
          transform_weights,
          transform_weight_grad,
          multiply,
          multiply_grad,
          transpose};
}

}  // namespace hpmp::cpu::winograd::HPMP_ISA
