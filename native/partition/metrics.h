// Volume, balance and traffic of a placement, in 64 bits.
#pragma once

#include <vector>

#include "partition/placement.h"

namespace hpmp {

struct Metrics {
  // Sum of cost * (lambda - 1) over activation and statistics nets, and over parameter nets.
  std::int64_t activation_elems = 0;
  std::int64_t parameter_elems = 0;
  std::vector<std::int64_t> part_weight;
  double imbalance = 0;                  // heaviest part / average - 1
  std::vector<std::int64_t> pair_elems;  // [from * ranks + to], sums to the two volumes
};

Metrics measure(const Hypergraph& h, const Placement& p);

/// (lambda - 1) * cost of every net.
std::vector<std::int64_t> net_volume(const Hypergraph& h, const Placement& p);

}  // namespace hpmp
