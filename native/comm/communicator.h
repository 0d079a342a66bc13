// The communicator: tagged non-blocking point-to-point messages; all that the engine asks of MPI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace hpmp {

/// A message under way. Value of the transport that made it; inactive after `test` said true.
struct Request {
  std::uint64_t handle = 0;
  bool active = false;
  std::vector<std::uint64_t> rest;  // further parts of a message longer than the transport allows
};

/// One rank's end. Messages of one pair of ranks and one tag arrive in the order sent; a send may
/// complete only when its receive is posted (rendezvous). Not for use by two threads at once.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual Rank rank() const = 0;
  virtual int size() const = 0;
  /// Whether messages may be sent from and received into the memory of a GPU.
  virtual bool takes_gpu_memory() const { return false; }
  /// `data` must stay as it is until the request is done. Errors: `comm_error`.
  virtual Request isend(const void* data, std::size_t bytes, Rank to, Tag tag) = 0;
  /// `bytes` is exactly what the sender sends. Errors: `comm_error`.
  virtual Request irecv(void* data, std::size_t bytes, Rank from, Tag tag) = 0;
  /// True when done (and ever after); drives progress of all requests. Errors: `comm_error`.
  virtual bool test(Request& request) = 0;
};

}  // namespace hpmp
