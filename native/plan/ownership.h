// Who holds what: the channels, parameter rows and messages that a placement implies.
#pragma once

#include <map>
#include <vector>

#include "plan/plan.h"

namespace hpmp {

/// Channels of one (group, shard) on one rank.
struct Holding {
  Ranges own;    // computed here
  Ranges image;  // own and received
};

/// Everything that follows from the placement before any order is chosen.
struct Ownership {
  std::int64_t shards = 1;
  int ranks = 1;
  std::vector<std::map<Rank, Holding>> holdings;  // [group * shards + shard]; ranks that hold some
  std::vector<std::vector<ParamRows>> params;     // by rank
  std::vector<GroupId> param_home;                // by param: the group that reduces and updates it
  std::vector<std::vector<GroupId>> param_users;  // by home group: groups that use its parameters
  std::vector<std::vector<GroupId>> consumers;    // by group: groups that read it, ascending
  std::vector<Message> messages;                  // of one letter each, tags in order

  const std::map<Rank, Holding>& at(GroupId g, std::int32_t s) const {
    return holdings[g.at() * static_cast<std::size_t>(shards) + static_cast<std::size_t>(s)];
  }
};

Ownership derive_ownership(const Hypergraph& h, const Placement& p);

/// Channels of input `k` of a group that computing `own` reads, in the channels of its view.
Ranges needed_channels(const Graph& graph, const Group& group, const Ranges& own, std::size_t k);

}  // namespace hpmp
