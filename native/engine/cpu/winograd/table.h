// All inner loops of Winograd convolution for one instruction set.
#pragma once

#include "engine/cpu/winograd/products.h"
#include "engine/cpu/winograd/transforms.h"

namespace hpmp::cpu::winograd::HPMP_ISA {

template <class T>
constexpr Code make_code() {
  return {kLanes,
          kStoredAs<T>,
          transform_input<T>,
          transform_output<T>,
          transform_output_grad<T>,
          transform_weights,
          transform_weight_grad,
          multiply,
          multiply_grad,
          transpose};
}

}  // namespace hpmp::cpu::winograd::HPMP_ISA
