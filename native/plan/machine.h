// What the planner believes of the machine: seconds of tasks, updates, packing and messages.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "base/optimizer.h"
#include "graph/groups.h"
#include "plan/rates.h"

namespace hpmp {

/// Seconds on a rank of speed 1.
struct PassSeconds {
  double forward = 0, backward = 0;

  PassSeconds& operator+=(const PassSeconds& o);
};

/// Whether activations may be freed after the forward pass and computed again for the backward one.
enum class Recompute : std::uint8_t {
  when_short,  // of memory, and cheaper than to have fewer shards under way
  never,
  always,  // so that a step needs as little memory as it can
};

/// The defaults are those of an ordinary core and network; a measured profile replaces them.
struct Machine {
  double flops_per_second = 100e9;        // of one rank, for ops without a rate
  double memory_bytes_per_second = 10e9;  // likewise
  double link_bytes_per_second = 1.25e9;  // 10 Gbit/s, per rank and direction
  double link_latency_seconds = 20e-6;
  double transport_bytes_per_second = 5e9;  // what a message costs the core at each of its ends
  double task_overhead_seconds = 5e-6;
  double pack_bytes_per_second = 5e9;        // copying channels between two tensors
  double conv_load_seconds = 1.6e-9;         // per weight element and step: new weights
  double update_seconds_per_elem = 2.4e-9;   // sgd: clear the gradient, update weight and momentum
  PassSeconds conv_weight{0.4e-9, 2.4e-9};   // per weight element and task, whatever its samples
  PassSeconds dense_weight{0.4e-9, 1.2e-9};  // likewise
  std::vector<Rate> rates;                   // measured; empty: the two speeds above
  std::vector<double> rank_speed;            // relative; empty: all 1
  std::int64_t memory_limit_bytes = 0;       // per rank; 0: none
  DType dtype = DType::fp32;  // of the activations with which rates and speeds were measured
  std::int64_t memory_goal_bytes = 0;  // a schedule that keeps it is preferred to a shorter
                                       // one; 0: the limit
  Recompute recompute = Recompute::when_short;

  /// 1 unless rank_speed says otherwise.
  double speed(Rank r) const;
  double message_seconds(std::int64_t bytes) const {
    return static_cast<double>(bytes) / link_bytes_per_second;
  }
};

/// The same machine computing on activations of `dtype`: what was measured with the other type is
/// faster or slower by what is usual.
Machine machine_for(Machine machine, DType dtype);

/// What every task of the group costs whatever its size: dispatch, kernel starts.
PassSeconds fixed_seconds(const Machine& machine, const Graph& graph, const Group& group);

/// What each node of the chain adds to a cell's task, by its position.
std::vector<PassSeconds> chain_seconds(const Machine& machine, const Graph& graph,
                                       const Group& group, const Region& region);

/// What one cell adds to its task, operands' copies included; the cells of a task add up.
PassSeconds cell_seconds(const Machine& machine, const Graph& graph, const Group& group,
                         const Region& region);

/// Optimizer step on `elems` owned elements of parameters that `home` uses first, and taking the
/// new ones over, on a rank of speed 1.
double update_seconds(const Machine& machine, const Graph& graph, const Group& home,
                      std::int64_t elems, OptimizerKind optimizer);

/// What a message of `bytes` costs the compute thread at each of its ends, on a rank of speed 1:
/// gathering into or scattering out of its buffer, and the transport's own copying.
double pack_seconds(const Machine& machine, std::int64_t bytes);

}  // namespace hpmp
