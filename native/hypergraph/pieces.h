// Elementary pieces: channels cut exactly where the set of their users changes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/region.h"

namespace hpmp {

/// `user` (any index) reads `range`.
struct Use {
  Range range;
  std::int32_t user = 0;
};

/// Channels that one producer block makes and that exactly `users` (ascending, unique) read.
struct UsedPiece {
  std::size_t block = 0;  // position in `blocks`
  Range range;
  std::vector<std::int32_t> users;
};

/// Cuts `blocks` (disjoint, ascending) into the fewest pieces of which every user reads all or
/// nothing. Pieces that nobody reads are left out.
std::vector<UsedPiece> elementary_pieces(const std::vector<Range>& blocks,
                                         const std::vector<Use>& uses);

}  // namespace hpmp
