#include "partition/placement.h"

#include "base/error.h"
#include "partition/bundles.h"

namespace hpmp {
namespace {

void check_parts(const Hypergraph& h, const std::vector<Rank>& part, int ranks) {
  if (ranks < 1) {
    fail(ErrorCode::invalid_argument,
         "invalid placement: " + std::to_string(ranks) + " ranks; give at least 1");
  }
  if (part.size() != h.cells.size()) {
    fail(ErrorCode::invalid_argument, "invalid placement: " + std::to_string(part.size()) +
                                          " parts for " + std::to_string(h.cells.size()) +
                                          " cells; give one part per cell of this grid");
  }
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] < 0 || part[i] >= ranks) {
      fail(ErrorCode::invalid_argument, "invalid placement: cell " + std::to_string(i) +
                                            " is on part " + std::to_string(part[i]) +
                                            "; parts are 0 to " + std::to_string(ranks - 1));
    }
  }
}

/// Gives the parameter nets their owners; `load` is what the activations move by rank.
void own_parameters(const Hypergraph& h, Placement& p, std::vector<std::int64_t> load) {
  const std::vector<ParamBundle> bundles = param_bundles(h);
  std::vector<std::int64_t> elems;
  std::vector<std::int32_t> part_begin{0};
  std::vector<Rank> parts;
  for (const ParamBundle& bundle : bundles) {
    elems.push_back(bundle.elems);
    const std::vector<Rank> found = net_parts(h, p, bundle.nets[0]);
    parts.insert(parts.end(), found.begin(), found.end());
    part_begin.push_back(static_cast<std::int32_t>(parts.size()));
  }
  const std::vector<Rank> owner = choose_owners(elems, part_begin, parts, std::move(load));
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    for (NetId e : bundles[i].nets) p.owner[e.at()] = owner[i];
  }
}

void own_statistics(const Hypergraph& h, Placement& p) {
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    const Net& net = h.nets[e];
    if (net.kind != NetKind::statistics) continue;
    const std::vector<Rank> parts = net_parts(h, p, NetId(static_cast<std::int64_t>(e)));
    p.owner[e] = statistics_owner(h.grid, net.group, net.shard, parts.data(), parts.size());
  }
}

}  // namespace

Rank statistics_owner(const GridSpec& grid, GroupId g, std::int32_t first_shard, const Rank* parts,
                      std::size_t count) {
  return parts[(g.at() + static_cast<std::size_t>(first_shard / grid.statistics_shards())) % count];
}

Placement make_placement(const Hypergraph& h, std::vector<Rank> part, int ranks) {
  check_parts(h, part, ranks);
  Placement p{ranks, std::move(part), std::vector<Rank>(h.nets.size(), 0)};
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks), 0);
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    if (h.nets[e].kind != NetKind::activation) continue;
    p.owner[e] = p.part[h.pins[static_cast<std::size_t>(h.pin_begin[e])].at()];
    for (Rank r : net_parts(h, p, NetId(static_cast<std::int64_t>(e)))) {
      if (r == p.owner[e]) continue;
      load[static_cast<std::size_t>(r)] += h.nets[e].elems;
      load[static_cast<std::size_t>(p.owner[e])] += h.nets[e].elems;
    }
  }
  own_parameters(h, p, std::move(load));
  own_statistics(h, p);
  return p;
}

std::vector<Rank> net_parts(const Hypergraph& h, const Placement& p, NetId e) {
  std::vector<char> touched(static_cast<std::size_t>(p.ranks), 0);
  for (std::int64_t i = h.pin_begin[e.at()]; i < h.pin_begin[e.at() + 1]; ++i) {
    touched[static_cast<std::size_t>(p.part[h.pins[static_cast<std::size_t>(i)].at()])] = 1;
  }
  std::vector<Rank> parts;
  for (Rank r = 0; r < p.ranks; ++r) {
    if (touched[static_cast<std::size_t>(r)]) parts.push_back(r);
  }
  return parts;
}

}  // namespace hpmp
