// The messages that a placement implies, by size only.
#pragma once

#include "plan/holders.h"
#include "plan/plan.h"

namespace hpmp {

/// What travels in one message: everything of one kind, group, shard and stage between two ranks.
struct Flow {
  MessageKind kind = MessageKind::activation;
  GroupId group;
  std::int32_t shard = -1;
  Rank from = 0, to = 0;
  std::int64_t elems = 0;
  std::int32_t stage = 0;  // of statistics, as in a plan's messages
};

/// Parameter elements that a rank updates, by home group.
struct OwnedParams {
  GroupId home;
  Rank owner = 0;
  std::int64_t elems = 0;
};

/// Makes the flows of many placements on one grid; keeps its memory from one to the next.
class FlowFinder {
 public:
  FlowFinder(const StepModel& model, int ranks) : model_(model), ranks_(ranks) {}

  /// In the order of a plan's messages: kind, group, shard, stage, from, to.
  void find(const std::vector<Rank>& part, const Holders& holders);

  const std::vector<Flow>& flows() const { return flows_; }
  const std::vector<OwnedParams>& owned() const { return owned_; }  // by home, then rank

 private:
  void add_activations(const std::vector<Rank>& part, const Holders& holders);
  void add_activations_of(GroupId g, std::int32_t s, const std::vector<Rank>& part,
                          const Holders& holders);
  bool on_one_rank(GroupId g, std::int32_t s, const Holders& holders) const;
  void add_gradients();
  void add_params(const std::vector<Rank>& part);
  void add_statistics(const std::vector<Rank>& part);
  void add_statistics_of(GroupId g, std::int32_t first, std::int32_t block,
                         const std::vector<Rank>& part);
  std::vector<std::int64_t> activation_load() const;
  void join_owned();
  void flush();

  const StepModel& model_;
  int ranks_;
  std::vector<Flow> flows_, found_;
  std::vector<OwnedParams> owned_;
  std::vector<Rank> readers_;
  std::vector<std::int32_t> reader_begin_;
};

}  // namespace hpmp
