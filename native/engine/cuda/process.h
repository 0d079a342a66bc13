// Which process this is, and on which host.
#pragma once

#include <cstdint>

namespace hpmp::cuda {

std::uint64_t random_number();

/// Bytes that may be sent.
struct Process {
  std::uint64_t pid, drawn;  // `drawn`: pids repeat in containers
  char boot[40];             // of the host, as Linux names it

  static Process own();
  bool is(const Process& other) const;
  /// Whether both are on one host.
  bool is_beside(const Process& other) const;
};

}  // namespace hpmp::cuda
