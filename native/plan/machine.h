// What the planner believes of the machine: seconds of tasks, updates, packing and messages.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/groups.h"

namespace hpmp {

struct Machine {
  double flops_per_second = 100e9;  // of one rank
  double memory_bytes_per_second = 10e9;
  double link_bytes_per_second = 1.25e9;  // 10 Gbit/s, per rank and direction
  double link_latency_seconds = 20e-6;
  double task_overhead_seconds = 5e-6;
  std::vector<double> rank_speed;       // relative; empty: all 1
  std::int64_t memory_limit_bytes = 0;  // per rank; 0: none

  /// 1 unless rank_speed says otherwise.
  double speed(Rank r) const;
  double message_seconds(std::int64_t bytes) const {
    return static_cast<double>(bytes) / link_bytes_per_second;
  }
};

/// Seconds on a rank of speed 1.
struct PassSeconds {
  double forward = 0, backward = 0;

  PassSeconds& operator+=(const PassSeconds& o);
};

/// What every task of the group costs whatever its size: dispatch, kernel starts.
PassSeconds fixed_seconds(const Machine& machine, const Graph& graph, const Group& group);

/// What one cell adds to its task; the cells of a task add up.
PassSeconds cell_seconds(const Machine& machine, const Graph& graph, const Group& group,
                         const Region& region);

/// Optimizer step on `elems` owned elements, on a rank of speed 1.
double update_seconds(const Machine& machine, std::int64_t elems);

/// Gathering `bytes` into, or scattering them out of, a message buffer on a rank of speed 1.
double pack_seconds(const Machine& machine, std::int64_t bytes);

}  // namespace hpmp
