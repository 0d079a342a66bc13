// Parameter blocks that the same cells use: they share an owner, and travel together.
#pragma once

#include <vector>

#include "hypergraph/hypergraph.h"

namespace hpmp {

/// Parameter nets with the same pins, such as the weight and bias rows of one channel block.
struct ParamBundle {
  std::vector<NetId> nets;
  std::vector<CellId> users;  // of shard 0; the other shards use it alike
  std::int64_t elems = 0;     // of all its nets
};

/// In the order of their first nets.
std::vector<ParamBundle> param_bundles(const Hypergraph& h);

/// Gives every bundle, the largest first, to the one of its parts that moves least so far, and
/// where that is the same to the one that owns least. Parts of bundle i are parts[part_begin[i] ..
/// part_begin[i + 1]), ascending. `load`: elements that each rank sends or receives anyway; a
/// bundle adds (lambda - 1) x elems at its owner and elems at the others.
std::vector<Rank> choose_owners(const std::vector<std::int64_t>& elems,
                                const std::vector<std::int32_t>& part_begin,
                                const std::vector<Rank>& parts, std::vector<std::int64_t> load);

}  // namespace hpmp
