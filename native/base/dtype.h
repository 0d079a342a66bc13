// What activations and their gradients are stored as; parameters are always fp32.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hpmp {

enum class DType : std::uint8_t { fp32, bf16 };

constexpr std::int64_t elem_bytes(DType dtype) { return dtype == DType::bf16 ? 2 : 4; }
constexpr const char* dtype_name(DType dtype) { return dtype == DType::bf16 ? "bf16" : "fp32"; }

inline std::optional<DType> dtype_by_name(std::string_view name) {
  for (DType dtype : {DType::fp32, DType::bf16}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  return std::nullopt;
}

}  // namespace hpmp
