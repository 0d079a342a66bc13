// Which ranks hold cells of each group and shard, in flat arrays made anew for every placement.
#pragma once

#include <vector>

#include "plan/step_model.h"

namespace hpmp {

struct Holder {
  Rank rank = 0;
  PassSeconds seconds;  // of its cells, on a rank of speed 1
};

/// Holders of (group g, shard s), ascending by rank, are list[begin[i] .. begin[i + 1]) with
/// i = g x shards + s.
struct Holders {
  std::int32_t shards = 1;
  std::vector<std::int32_t> begin;
  std::vector<Holder> list;

  std::size_t at(GroupId g, std::int32_t s) const {
    return g.at() * static_cast<std::size_t>(shards) + static_cast<std::size_t>(s);
  }
  /// Position in `list`, or -1 where the rank holds nothing.
  std::int32_t find(GroupId g, std::int32_t s, Rank r) const;
};

void find_holders(const StepModel& model, const std::vector<Rank>& part, Holders& out);

/// Ranks of `cells` (of shard 0) in shard `s`, ascending and distinct, appended to `out`.
void append_ranks(const Hypergraph& h, const std::vector<CellId>& cells, std::int32_t s,
                  const std::vector<Rank>& part, std::vector<Rank>& out);

}  // namespace hpmp
