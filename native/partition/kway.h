// The bare k-way problem: weights, costs, pins and capacities, without grids or layers.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace hpmp {

struct KwayProblem {
  int parts = 1;
  std::vector<std::int64_t> weight;        // by vertex
  std::vector<std::int64_t> cost;          // by net
  std::vector<std::int64_t> pin_begin{0};  // CSR, nets + 1
  std::vector<std::int32_t> pins;
  std::vector<std::int64_t> net_begin{0};  // CSR the other way, vertices + 1
  std::vector<std::int32_t> nets;
  std::vector<std::int64_t> capacity;  // by part: the most weight that it may hold
  std::vector<Rank> fixed;             // by vertex: its part, or -1 where free

  std::size_t vertices() const { return weight.size(); }
  std::size_t net_count() const { return cost.size(); }
};

/// Fills `net_begin` and `nets` from the pins.
void index_nets(KwayProblem& problem);

/// The problem on clusters of vertices: cluster[v] in [0, clusters). Pins of a net in one cluster
/// become one, nets within a cluster vanish, nets with equal pins become one of summed cost, so
/// that the connectivity of any placement of clusters is kept exactly.
KwayProblem contracted(const KwayProblem& problem, const std::vector<std::int32_t>& cluster,
                       std::int32_t clusters);

/// Sum of cost * (lambda - 1).
std::int64_t connectivity(const KwayProblem& problem, const std::vector<Rank>& part);

std::vector<std::int64_t> part_weights(const KwayProblem& problem, const std::vector<Rank>& part);

/// Weight above capacity, summed over parts.
std::int64_t overload(const KwayProblem& problem, const std::vector<std::int64_t>& part_weight);

}  // namespace hpmp
