// Local search on a k-way partition: Fiduccia-Mattheyses moves on the connectivity metric.
#pragma once

#include "partition/kway.h"
#include "partition/random.h"

namespace hpmp {

struct Quality {
  std::int64_t overload = 0, volume = 0;

  /// Within capacity first, then least volume.
  friend bool operator<(const Quality& a, const Quality& b) {
    return a.overload != b.overload ? a.overload < b.overload : a.volume < b.volume;
  }
};

struct RefineOptions {
  int passes = 4;
  std::size_t patience = 100;  // moves without a new best before a pass ends
};

/// Improves `part` in place; never makes it worse. Passes stop early when one finds nothing. Adds
/// to `work` the pins touched, a measure of time that is the same on every machine.
/// Source: C. M. Fiduccia, R. M. Mattheyses, "A linear-time heuristic", DAC 1982; gain tables as in
/// k-way FM for the connectivity metric. Passes may exceed capacities by one vertex on the way, so
/// that two vertices can change places.
Quality refine(const KwayProblem& problem, std::vector<Rank>& part, const RefineOptions& options,
               Random& random, std::int64_t& work);

}  // namespace hpmp
