#include "planner/ladder.h"

#include <algorithm>

namespace hpmp {
namespace {

/// Cells that one rank holds of a group (and, by block, of a shard), in order, are cut evenly.
/// `unit(cell)` numbers what must not be cut: a shard, or a block of one.
template <class Unit>
void divide_run(const std::vector<Rank>& part, std::size_t begin, std::size_t end, int factor,
                Unit&& unit, std::vector<Rank>& out) {
  std::vector<Rank> ranks(part.begin() + static_cast<std::ptrdiff_t>(begin),
                          part.begin() + static_cast<std::ptrdiff_t>(end));
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  for (Rank r : ranks) {
    std::vector<std::size_t> units;
    for (std::size_t i = begin; i < end; ++i) {
      if (part[i] == r && (units.empty() || units.back() != unit(i))) units.push_back(unit(i));
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (part[i] != r) continue;
      const auto at = std::lower_bound(units.begin(), units.end(), unit(i)) - units.begin();
      out[i] =
          r * factor + static_cast<Rank>(at * factor / static_cast<std::ptrdiff_t>(units.size()));
    }
  }
}

}  // namespace

int fewer_ranks(int ranks) {
  int fewer = ranks / 2;
  while (fewer > 1 && ranks % fewer != 0) --fewer;
  return std::max(fewer, 1);
}

std::vector<Rank> divided_by_shards(const Hypergraph& h, const std::vector<Rank>& part,
                                    int factor) {
  std::vector<Rank> out(part.size(), 0);
  for (std::size_t g = 0; g < h.blocks.size(); ++g) {
    const auto blocks = static_cast<std::size_t>(h.blocks[g]);
    const auto begin = static_cast<std::size_t>(h.first_cell[g]);
    if (blocks == 0) continue;
    divide_run(
        part, begin, begin + blocks * static_cast<std::size_t>(h.grid.shards), factor,
        [&](std::size_t cell) { return (cell - begin) / blocks; }, out);
  }
  return out;
}

std::vector<Rank> divided_by_blocks(const Hypergraph& h, const std::vector<Rank>& part,
                                    int factor) {
  std::vector<Rank> out(part.size(), 0);
  for (std::size_t g = 0; g < h.blocks.size(); ++g) {
    const auto blocks = static_cast<std::size_t>(h.blocks[g]);
    auto begin = static_cast<std::size_t>(h.first_cell[g]);
    for (std::int64_t s = 0; s < h.grid.shards && blocks > 0; ++s, begin += blocks) {
      divide_run(part, begin, begin + blocks, factor, [](std::size_t cell) { return cell; }, out);
    }
  }
  return out;
}

}  // namespace hpmp
