// Labels as the kernels take them.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace hpmp::cuda {

static_assert(sizeof(long long) == sizeof(std::int64_t), "labels are as in ForwardArgs");

inline const long long* labels_of(const std::int64_t* given) {
  ensure(given, "the loss has labels");
  return reinterpret_cast<const long long*>(given);
}

}  // namespace hpmp::cuda
