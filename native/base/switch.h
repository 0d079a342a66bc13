// What a user turns off by a variable of the environment.
#pragma once

#include <cstdlib>
#include <string_view>

namespace hpmp {

/// Unless the variable is 0.
inline bool is_switched_on(const char* variable) {
  const char* given = std::getenv(variable);
  return given == nullptr || std::string_view(given) != "0";
}

}  // namespace hpmp
