#include "engine/bench_clock.h"

#include <algorithm>
#include <chrono>

#include "engine/stopwatch.h"

namespace hpmp {
namespace {

/// Of one measurement, at least about so long, by at most so many runs.
constexpr double kLeastSeconds = 1e-3;
constexpr double kMostRuns = 64;

}  // namespace

BenchClock::BenchClock(Backend& backend, std::function<void()> work)
    : backend_(backend), work_(std::move(work)) {
  work_();
  if (backend_.is_host()) return;
  backend_.finish();
  recorded_ = backend_.record(work_);
  const double once = std::max(recorded_seconds(1), 1e-9);
  runs_ = static_cast<int>(std::clamp(kLeastSeconds / once, 1.0, kMostRuns));
}

double BenchClock::seconds() {
  if (recorded_) return recorded_seconds(runs_);
  const Stopwatch watch;
  work_();
  return watch.seconds();
}

double BenchClock::recorded_seconds(int runs) {
  const auto begin = std::chrono::steady_clock::now();
  for (int k = 0; k < runs; ++k) recorded_->run();
  backend_.finish();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return taken.count() / runs;
}

}  // namespace hpmp
