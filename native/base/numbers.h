// Numbers in the text forms: shortest text that reads back exactly, and whole-token parsing.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace hpmp {

inline std::string real_text(double v) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, v).ptr);
}

/// The number that the whole of `text` spells, if it spells one.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number v{};
  const auto r = std::from_chars(text.data(), text.data() + text.size(), v);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size()) return std::nullopt;
  return v;
}

}  // namespace hpmp
