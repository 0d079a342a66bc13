// The machine model from and to its C structures.
#pragma once

#include "include/hpmp.h"
#include "plan/machine.h"

namespace hpmp::capi {

/// Errors: `invalid_argument` naming the field that is not above 0, or the op that is unknown, or
/// where there are speeds for another number of ranks.
Machine machine_from_c(const hpmp_machine& machine, int ranks);

hpmp_op_shape shape_to_c(const OpShape& shape);

}  // namespace hpmp::capi
