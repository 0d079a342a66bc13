#include "partition/bundles.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace hpmp {

std::vector<ParamBundle> param_bundles(const Hypergraph& h) {
  std::vector<ParamBundle> bundles;
  std::map<std::vector<CellId>, std::size_t> found;
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    if (h.nets[e].kind != NetKind::parameter) continue;
    const auto pins = h.pin_begin[e + 1] - h.pin_begin[e];
    const auto first = h.pins.begin() + h.pin_begin[e];
    std::vector<CellId> users(first, first + pins / h.grid.shards);
    const auto [it, is_new] = found.try_emplace(users, bundles.size());
    if (is_new) bundles.push_back({{}, std::move(users), 0});
    ParamBundle& bundle = bundles[it->second];
    bundle.nets.push_back(NetId(static_cast<std::int64_t>(e)));
    bundle.elems += h.nets[e].elems;
  }
  return bundles;
}

std::vector<Rank> choose_owners(const std::vector<std::int64_t>& elems,
                                const std::vector<std::int32_t>& part_begin,
                                const std::vector<Rank>& parts, std::vector<std::int64_t> load) {
  std::vector<std::size_t> order(elems.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return elems[a] > elems[b]; });
  std::vector<Rank> owner(elems.size());
  std::vector<std::int64_t> owned(load.size(), 0);
  for (std::size_t i : order) {
    const auto first = parts.begin() + part_begin[i], last = parts.begin() + part_begin[i + 1];
    // Of two ranks both move the same, whichever owns.
    const bool moves_more = last - first > 2;
    const Rank best = *std::min_element(first, last, [&](Rank a, Rank b) {
      const auto x = static_cast<std::size_t>(a), y = static_cast<std::size_t>(b);
      return moves_more && load[x] != load[y] ? load[x] < load[y] : owned[x] < owned[y];
    });
    for (auto r = first; r != last; ++r) load[static_cast<std::size_t>(*r)] += elems[i];
    load[static_cast<std::size_t>(best)] += elems[i] * (last - first - 2);
    owned[static_cast<std::size_t>(best)] += elems[i];
    owner[i] = best;
  }
  return owner;
}

}  // namespace hpmp
