// C functions that make and measure placements.
#include "capi/handles.h"
#include "capi/wall.h"
#include "partition/baselines.h"
#include "partition/metrics.h"
#include "partition/search.h"

namespace hpmp::capi {

std::vector<std::vector<Rank>> split_placements(const std::int32_t* flat, std::int64_t count,
                                                std::size_t cells) {
  std::vector<std::vector<Rank>> placements;
  if (count > 0) given(flat, "starts");
  for (std::int64_t i = 0; i < count; ++i, flat += cells)
    placements.emplace_back(flat, flat + cells);
  return placements;
}

namespace {

SearchOptions options_from_c(const hpmp_search_options& o, int ranks) {
  SearchOptions options;
  options.epsilon = o.epsilon;
  options.seed = o.seed;
  options.work = o.work;
  options.seconds = o.seconds;
  options.keep = static_cast<std::size_t>(std::max<std::int64_t>(o.keep, 0));
  if (o.share) options.share.assign(o.share, o.share + ranks);
  return options;
}

template <class T>
void copy_if_wanted(const std::vector<T>& from, T* to) {
  if (to) std::copy(from.begin(), from.end(), to);
}

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

hpmp_status hpmp_baseline(const hpmp_hypergraph* hypergraph, const char* strategy, int32_t ranks,
                          int32_t* part) {
  return wall([&] {
    given(strategy, "strategy");
    given(part, "part");
    copy_if_wanted(baseline(hypergraph_of(hypergraph), strategy, ranks).part, part);
  });
}

void hpmp_search_options_default(hpmp_search_options* out) {
  const SearchOptions o;
  if (!out) return;
  *out = {o.epsilon, o.seed, o.work, o.seconds, static_cast<std::int64_t>(o.keep), nullptr};
}

hpmp_status hpmp_search(const hpmp_hypergraph* hypergraph, int32_t ranks,
                        const hpmp_search_options* options, const int32_t* starts,
                        int64_t start_count, int32_t* part, int64_t* found) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    given(part, "part");
    const SearchOptions o = options_from_c(given(options, "options"), ranks);
    const auto candidates =
        search_placements(h, ranks, o, split_placements(starts, start_count, h.cells.size()));
    const std::size_t kept = std::min(candidates.size(), o.keep);
    for (std::size_t i = 0; i < kept; ++i) {
      std::copy(candidates[i].part.begin(), candidates[i].part.end(), part + i * h.cells.size());
    }
    given(found, "found") = static_cast<std::int64_t>(kept);
  });
}

hpmp_status hpmp_measure(const hpmp_hypergraph* hypergraph, const int32_t* part, int32_t ranks,
                         hpmp_metrics* out, int64_t* part_weight, int64_t* pair_elems,
                         int64_t* net_volume_elems) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    given(part, "part");
    const Placement p = make_placement(h, {part, part + h.cells.size()}, ranks);
    const Metrics m = measure(h, p);
    given(out, "out") = {m.activation_elems, m.parameter_elems, m.imbalance};
    copy_if_wanted(m.part_weight, part_weight);
    copy_if_wanted(m.pair_elems, pair_elems);
    if (net_volume_elems) copy_if_wanted(net_volume(h, p), net_volume_elems);
  });
}
}
