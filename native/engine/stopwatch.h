// A clock that other work on the machine disturbs as little as possible.
#pragma once

#include <omp.h>
#include <time.h>

#include <chrono>

namespace hpmp {

/// Seconds since it was made: of the calling thread's own running time where that thread does all
/// the work (one OpenMP thread), else of the clock on the wall.
class Stopwatch {
 public:
  Stopwatch() : alone_(omp_get_max_threads() == 1), begin_(now()) {}
  double seconds() const { return now() - begin_; }

 private:
  double now() const {
    if (!alone_) {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
    }
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }

  bool alone_;
  double begin_;
};

}  // namespace hpmp
