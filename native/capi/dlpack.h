// Checks of tensors that come in as DLPack; the engine takes plain pointers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "include/hpmp_dlpack.h"

namespace hpmp::capi {

/// Data of a float32 C-order CPU tensor whose shape is one of `shapes`.
/// Errors: `invalid_argument` naming `what`, what it is and what it should be.
const float* float_data(const DLTensor& tensor, const std::string& what,
                        const std::vector<std::vector<std::int64_t>>& shapes);
/// The same for int64.
const std::int64_t* int64_data(const DLTensor& tensor, const std::string& what,
                               const std::vector<std::int64_t>& shape);

}  // namespace hpmp::capi
