#include "engine/cuda/process.h"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>

namespace hpmp::cuda {

std::uint64_t random_number() {
  std::random_device source;
  return (std::uint64_t{source()} << 32) | source();
}

Process Process::own() {
  static const std::uint64_t drawn = random_number();
  Process own{static_cast<std::uint64_t>(getpid()), drawn, {}};
  std::ifstream("/proc/sys/kernel/random/boot_id").read(own.boot, sizeof own.boot - 1);
  return own;
}

bool Process::is(const Process& other) const {
  return pid == other.pid && drawn == other.drawn && is_beside(other);
}

bool Process::is_beside(const Process& other) const {
  return std::memcmp(boot, other.boot, sizeof boot) == 0;
}

}  // namespace hpmp::cuda
