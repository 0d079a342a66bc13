// Waiting: the core's own loop, kind to busy cores, with a watchdog instead of a hang.
#pragma once

#include <functional>
#include <string>

#include "comm/communicator.h"

namespace hpmp {

struct WaitOptions {
  double timeout_seconds = 60;
  /// Called on every turn of the loop, to test other requests; may be empty.
  std::function<void()> progress;
};

/// Who waits for what; only read when something goes wrong.
struct WaitReason {
  bool sending = false;
  Rank peer = 0;
  Tag tag = 0;
  const char* label = "";  // the current instruction
};

/// Returns when `request` is done.
/// Errors: `comm_error` naming rank, peer, tag and label, after `timeout_seconds` or when the
/// transport fails.
void wait(Communicator& comm, Request& request, const WaitReason& reason,
          const WaitOptions& options);

/// Every rank's `count` doubles, in rank order, on every rank: all[r * count + i]. Collective; the
/// tag must be free on every pair of ranks.
void gather_doubles(Communicator& comm, const double* own, int count, double* all, Tag tag,
                    const WaitOptions& options);

}  // namespace hpmp
