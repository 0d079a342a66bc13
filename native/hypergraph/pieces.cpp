#include "hypergraph/pieces.h"

namespace hpmp {
namespace {

std::vector<std::int64_t> sorted_cuts(const std::vector<Range>& blocks,
                                      const std::vector<Use>& uses) {
  std::vector<std::int64_t> cuts;
  cuts.reserve(2 * (blocks.size() + uses.size()));
  for (Range b : blocks) cuts.insert(cuts.end(), {b.begin, b.end});
  for (const Use& u : uses) cuts.insert(cuts.end(), {u.range.begin, u.range.end});
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

std::size_t position(const std::vector<std::int64_t>& cuts, std::int64_t at) {
  return static_cast<std::size_t>(std::lower_bound(cuts.begin(), cuts.end(), at) - cuts.begin());
}

/// Users of every interval [cuts[i], cuts[i+1]).
std::vector<std::vector<std::int32_t>> users_of_intervals(const std::vector<std::int64_t>& cuts,
                                                          const std::vector<Use>& uses) {
  std::vector<std::vector<std::int32_t>> users(cuts.size());
  for (const Use& u : uses) {
    if (u.range.empty()) continue;
    const std::size_t end = position(cuts, u.range.end);
    for (std::size_t i = position(cuts, u.range.begin); i < end; ++i) users[i].push_back(u.user);
  }
  for (auto& list : users) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return users;
}

}  // namespace

std::vector<UsedPiece> elementary_pieces(const std::vector<Range>& blocks,
                                         const std::vector<Use>& uses) {
  const std::vector<std::int64_t> cuts = sorted_cuts(blocks, uses);
  std::vector<std::vector<std::int32_t>> users = users_of_intervals(cuts, uses);
  std::vector<UsedPiece> pieces;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const std::size_t end = position(cuts, blocks[b].end);
    bool open = false;
    for (std::size_t i = position(cuts, blocks[b].begin); i < end; ++i) {
      if (open && pieces.back().users == users[i]) {
        pieces.back().range.end = cuts[i + 1];
        continue;
      }
      open = !users[i].empty();
      if (open) pieces.push_back({b, {cuts[i], cuts[i + 1]}, std::move(users[i])});
    }
  }
  return pieces;
}

}  // namespace hpmp
