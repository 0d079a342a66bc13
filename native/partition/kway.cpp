#include "partition/kway.h"

#include <algorithm>
#include <unordered_map>

namespace hpmp {
namespace {

std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  return x;
}

/// Appends nets to a problem, summing the costs of those with equal pins.
class NetMerger {
 public:
  explicit NetMerger(KwayProblem& to) : to_(to) {}

  /// `pins` ascending and unique.
  void add(const std::vector<std::int32_t>& pins, std::int64_t cost) {
    std::uint64_t key = pins.size();
    for (std::int32_t v : pins) key = mixed(key + static_cast<std::uint64_t>(v));
    const auto [first, last] = seen_.equal_range(key);
    for (auto it = first; it != last; ++it) {
      if (equal(it->second, pins)) {
        to_.cost[it->second] += cost;
        return;
      }
    }
    seen_.emplace(key, to_.cost.size());
    to_.cost.push_back(cost);
    to_.pins.insert(to_.pins.end(), pins.begin(), pins.end());
    to_.pin_begin.push_back(static_cast<std::int64_t>(to_.pins.size()));
  }

 private:
  bool equal(std::size_t e, const std::vector<std::int32_t>& pins) const {
    return std::equal(to_.pins.begin() + to_.pin_begin[e], to_.pins.begin() + to_.pin_begin[e + 1],
                      pins.begin(), pins.end());
  }

  KwayProblem& to_;
  std::unordered_multimap<std::uint64_t, std::size_t> seen_;
};

}  // namespace

void index_nets(KwayProblem& problem) {
  problem.net_begin.assign(problem.vertices() + 1, 0);
  for (std::int32_t v : problem.pins) ++problem.net_begin[static_cast<std::size_t>(v) + 1];
  for (std::size_t v = 0; v < problem.vertices(); ++v) {
    problem.net_begin[v + 1] += problem.net_begin[v];
  }
  problem.nets.resize(problem.pins.size());
  std::vector<std::int64_t> at(problem.net_begin.begin(), problem.net_begin.end() - 1);
  for (std::size_t e = 0; e < problem.net_count(); ++e) {
    for (std::int64_t i = problem.pin_begin[e]; i < problem.pin_begin[e + 1]; ++i) {
      const auto v = static_cast<std::size_t>(problem.pins[static_cast<std::size_t>(i)]);
      problem.nets[static_cast<std::size_t>(at[v]++)] = static_cast<std::int32_t>(e);
    }
  }
}

KwayProblem contracted(const KwayProblem& problem, const std::vector<std::int32_t>& cluster,
                       std::int32_t clusters) {
  KwayProblem coarse;
  coarse.parts = problem.parts;
  coarse.capacity = problem.capacity;
  coarse.weight.assign(static_cast<std::size_t>(clusters), 0);
  coarse.fixed.assign(static_cast<std::size_t>(clusters), -1);
  for (std::size_t v = 0; v < problem.vertices(); ++v) {
    const auto c = static_cast<std::size_t>(cluster[v]);
    coarse.weight[c] += problem.weight[v];
    if (problem.fixed[v] >= 0) coarse.fixed[c] = problem.fixed[v];
  }
  NetMerger merger(coarse);
  std::vector<std::int32_t> last_net(static_cast<std::size_t>(clusters), -1), pins;
  for (std::size_t e = 0; e < problem.net_count(); ++e) {
    pins.clear();
    for (std::int64_t i = problem.pin_begin[e]; i < problem.pin_begin[e + 1]; ++i) {
      const std::int32_t c =
          cluster[static_cast<std::size_t>(problem.pins[static_cast<std::size_t>(i)])];
      std::int32_t& last = last_net[static_cast<std::size_t>(c)];
      if (last == static_cast<std::int32_t>(e)) continue;
      last = static_cast<std::int32_t>(e);
      pins.push_back(c);
    }
    if (pins.size() < 2) continue;
    std::sort(pins.begin(), pins.end());
    merger.add(pins, problem.cost[e]);
  }
  index_nets(coarse);
  return coarse;
}

std::int64_t connectivity(const KwayProblem& problem, const std::vector<Rank>& part) {
  std::vector<std::int32_t> seen(static_cast<std::size_t>(problem.parts), -1);
  std::int64_t total = 0;
  for (std::size_t e = 0; e < problem.net_count(); ++e) {
    std::int64_t touched = 0;
    for (std::int64_t i = problem.pin_begin[e]; i < problem.pin_begin[e + 1]; ++i) {
      const auto v = static_cast<std::size_t>(problem.pins[static_cast<std::size_t>(i)]);
      std::int32_t& mark = seen[static_cast<std::size_t>(part[v])];
      if (mark != static_cast<std::int32_t>(e)) ++touched;
      mark = static_cast<std::int32_t>(e);
    }
    if (touched > 1) total += problem.cost[e] * (touched - 1);
  }
  return total;
}

std::vector<std::int64_t> part_weights(const KwayProblem& problem, const std::vector<Rank>& part) {
  std::vector<std::int64_t> total(static_cast<std::size_t>(problem.parts), 0);
  for (std::size_t v = 0; v < problem.vertices(); ++v) {
    total[static_cast<std::size_t>(part[v])] += problem.weight[v];
  }
  return total;
}

std::int64_t overload(const KwayProblem& problem, const std::vector<std::int64_t>& part_weight) {
  std::int64_t above = 0;
  for (std::size_t p = 0; p < part_weight.size(); ++p) {
    above += std::max<std::int64_t>(0, part_weight[p] - problem.capacity[p]);
  }
  return above;
}

}  // namespace hpmp
