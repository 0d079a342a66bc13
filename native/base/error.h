// The one exception class of the native core; its code says who must act.
#pragma once

#include <stdexcept>
#include <string>

namespace hpmp {

enum class ErrorCode {
  invalid_model = 1,
  unsupported_op,
  invalid_argument,
  infeasible,
  invalid_plan,
  out_of_memory,
  device_error,
  comm_error,
  internal,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

[[noreturn]] inline void fail(ErrorCode code, const std::string& message) {
  throw Error(code, message);
}

/// Throws `internal` when an invariant of ours does not hold.
inline void ensure(bool holds, const char* invariant) {
  if (!holds) fail(ErrorCode::internal, std::string("internal error: ") + invariant);
}

}  // namespace hpmp
