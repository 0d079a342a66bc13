// What the planner believes of the machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/ops.h"

namespace hpmp {

struct Machine {
  double flops_per_second = 100e9;  // of one rank
  double memory_bytes_per_second = 10e9;
  double link_bytes_per_second = 1.25e9;  // 10 Gbit/s, per rank and direction
  double link_latency_seconds = 20e-6;
  double task_overhead_seconds = 5e-6;
  std::vector<double> rank_speed;       // relative; empty: all 1
  std::int64_t memory_limit_bytes = 0;  // per rank; 0: none

  double compute_seconds(double flops, double bytes, Rank r) const;
  double message_seconds(std::int64_t bytes) const {
    return static_cast<double>(bytes) / link_bytes_per_second;
  }
};

}  // namespace hpmp
