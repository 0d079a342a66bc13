// Copying one tensor to another of the same layout: what add, dropout and output have in common.
#pragma once

#include "engine/tensor.h"

namespace hpmp::cpu {

/// to = from, or to += from, of any types. Nothing to do where `to` is not wanted (null) or is
/// `from` itself.
void copy_elems(const TensorRef& to, const TensorRef& from, bool accumulate);

/// to[k] += from[k], of `dtype`.
void add_elems(void* to, const void* from, std::int64_t count, DType dtype);

}  // namespace hpmp::cpu
