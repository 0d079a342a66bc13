// What an MPI says of the kinds of memory that it takes.
#pragma once

#include <algorithm>
#include <string>

namespace hpmp {

/// Of the value of the info key mpi_memory_alloc_kinds, such as "mpi,system,cuda:host:device" (MPI
/// 4.1, section 11.4.3): whether memory of a CUDA GPU is among them. A kind without restrictors is
/// all of it.
inline bool lists_gpu_memory(const std::string& kinds) {
  for (std::size_t at = 0; at < kinds.size();) {
    const std::size_t end = std::min(kinds.find(',', at), kinds.size());
    const std::string kind = kinds.substr(at, end - at) + ":";
    if (kind == "cuda:") return true;
    if (kind.rfind("cuda:", 0) == 0 && kind.find(":device:") != std::string::npos) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace hpmp
