// The machine model from and to its C structures.
#pragma once

#include "include/hpmp.h"
#include "plan/machine.h"

namespace hpmp::capi {

/// Errors: `invalid_argument` naming the field that is not above 0, or the op that is unknown.
Machine machine_from_c(const hpmp_machine& machine);

hpmp_op_shape shape_to_c(const OpShape& shape);

}  // namespace hpmp::capi
