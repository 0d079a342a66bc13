// The seconds that work takes, on the host or on a GPU.
#pragma once

#include <functional>

#include "engine/backend.h"

namespace hpmp {

/// Of a GPU, whose calls return before they are done: of as many runs of a recording, one after the
/// other, as make launching and waiting small beside them.
class BenchClock {
 public:
  /// `work` may be done any number of times; the first is now, and not timed. Both must outlive
  /// this.
  BenchClock(Backend& backend, std::function<void()> work);

  /// Of one time.
  double seconds();

 private:
  double recorded_seconds(int runs);

  Backend& backend_;
  std::function<void()> work_;
  std::unique_ptr<Routine> recorded_;  // null on the host
  int runs_ = 1;
};

}  // namespace hpmp
