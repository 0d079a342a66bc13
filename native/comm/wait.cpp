#include "comm/wait.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "base/error.h"

namespace hpmp {

namespace {

using Clock = std::chrono::steady_clock;

std::string description(const Communicator& comm, const WaitReason& reason) {
  std::string text = "rank " + std::to_string(comm.rank());
  text += reason.sending ? " sending to rank " : " receiving from rank ";
  text += std::to_string(reason.peer) + " (tag " + std::to_string(reason.tag) + ")";
  return text + " in instruction '" + reason.label + "'";
}

[[noreturn]] void timed_out(const Communicator& comm, const WaitReason& reason, double seconds) {
  char limit[32];
  std::snprintf(limit, sizeof limit, "%g", seconds);
  fail(ErrorCode::comm_error, description(comm, reason) + " waited " + limit +
                                  " s for the other side; that rank is stuck or unreachable, or "
                                  "raise the timeout if it is only slow");
}

bool tested(Communicator& comm, Request& request, const WaitReason& reason) {
  try {
    return comm.test(request);
  } catch (const Error& error) {
    fail(error.code(), description(comm, reason) + ": " + error.what());
  }
}

}  // namespace

// Test, spin a little for what is nearly here, then yield and sleep: with more ranks than cores a
// busy loop takes the time slice that the awaited rank needs.
void wait(Communicator& comm, Request& request, const WaitReason& reason,
          const WaitOptions& options) {
  constexpr int kSpins = 20, kYields = 40;
  Clock::time_point start;
  for (int turn = 0; !tested(comm, request, reason); ++turn) {
    if (options.progress) options.progress();
    if (turn < kSpins) continue;
    if (turn == kSpins) start = Clock::now();
    if (turn < kYields) {
      std::this_thread::yield();
      continue;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds > options.timeout_seconds) timed_out(comm, reason, options.timeout_seconds);
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

void gather_doubles(Communicator& comm, const double* own, int count, double* all, Tag tag,
                    const WaitOptions& options) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(double);
  std::vector<Request> receives(static_cast<std::size_t>(comm.size()));
  std::vector<Request> sends(receives.size());
  for (Rank r = 0; r < comm.size(); ++r) {
    if (r == comm.rank()) continue;
    receives[static_cast<std::size_t>(r)] = comm.irecv(all + r * count, bytes, r, tag);
  }
  for (Rank r = 0; r < comm.size(); ++r) {
    if (r != comm.rank()) sends[static_cast<std::size_t>(r)] = comm.isend(own, bytes, r, tag);
  }
  std::copy_n(own, count, all + comm.rank() * count);
  for (Rank r = 0; r < comm.size(); ++r) {
    if (r == comm.rank()) continue;
    wait(comm, receives[static_cast<std::size_t>(r)], {false, r, tag, "gather of the loss"},
         options);
    wait(comm, sends[static_cast<std::size_t>(r)], {true, r, tag, "gather of the loss"}, options);
  }
}

}  // namespace hpmp
