// What a core does at best.
#pragma once

namespace hpmp {

/// Multiply-adds in single precision by the widest vectors of the processor, as FLOP/s: the median
/// of `repeats`.
double measure_multiply_adds(int repeats);

}  // namespace hpmp
