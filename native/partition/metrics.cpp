#include "partition/metrics.h"

namespace hpmp {
namespace {

/// The owner sends a net's elements to every other part that needs them, forward and, of
/// statistics, backward; it gets the rest of the cost (gradients, partial sums).
void add_traffic(Metrics& m, const Placement& p, const Net& net, Rank owner,
                 const std::vector<Rank>& parts) {
  const std::int64_t sent = net.kind == NetKind::statistics ? net.cost / 2 : net.elems;
  for (Rank r : parts) {
    if (r == owner) continue;
    m.pair_elems[static_cast<std::size_t>(owner * p.ranks + r)] += sent;
    m.pair_elems[static_cast<std::size_t>(r * p.ranks + owner)] += net.cost - sent;
  }
}

double imbalance_of(const std::vector<std::int64_t>& weights) {
  std::int64_t total = 0, heaviest = 0;
  for (std::int64_t w : weights) {
    total += w;
    heaviest = std::max(heaviest, w);
  }
  if (total == 0) return 0;
  return static_cast<double>(heaviest) * static_cast<double>(weights.size()) /
             static_cast<double>(total) -
         1;
}

}  // namespace

Metrics measure(const Hypergraph& h, const Placement& p) {
  Metrics m;
  const auto ranks = static_cast<std::size_t>(p.ranks);
  m.part_weight.assign(ranks, 0);
  m.pair_elems.assign(ranks * ranks, 0);
  for (std::size_t i = 0; i < h.cells.size(); ++i) {
    m.part_weight[static_cast<std::size_t>(p.part[i])] += h.cells[i].weight;
  }
  m.imbalance = imbalance_of(m.part_weight);
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    const std::vector<Rank> parts = net_parts(h, p, NetId(static_cast<std::int64_t>(e)));
    const std::int64_t volume = h.nets[e].cost * static_cast<std::int64_t>(parts.size() - 1);
    (h.nets[e].kind == NetKind::parameter ? m.parameter_elems : m.activation_elems) += volume;
    add_traffic(m, p, h.nets[e], p.owner[e], parts);
  }
  return m;
}

std::vector<std::int64_t> net_volume(const Hypergraph& h, const Placement& p) {
  std::vector<std::int64_t> volume(h.nets.size());
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    const std::vector<Rank> parts = net_parts(h, p, NetId(static_cast<std::int64_t>(e)));
    volume[e] = h.nets[e].cost * static_cast<std::int64_t>(parts.size() - 1);
  }
  return volume;
}

}  // namespace hpmp
