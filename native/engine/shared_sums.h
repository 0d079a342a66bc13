// The sums that shards on this rank share: a tensor of the arena that tasks and messages add to.
#pragma once

#include <vector>

#include "engine/buffers.h"
#include "engine/kernel.h"

namespace hpmp {

/// One exchange's sums of one group and statistics group: [channels] in the order of `channels`.
/// A view of the arena; owns nothing.
class SumRow {
 public:
  /// `shard`: the first that shares; `exchange`: the forward ones count from 0, then the backward
  /// ones.
  SumRow(Arena& arena, Backend& backend, GroupId g, std::int32_t shard, std::int32_t exchange);

  void clear();
  /// `part`: [total_size(of)], the channels `of` of the group in order; so in `read`.
  void add(const Ranges& of, const ChannelSums* part);
  void read(const Ranges& of, ChannelSums* to) const;
  /// The `range.size()` sums of channels that stand together.
  ChannelSums* at(Range range) const;

 private:
  Backend& backend_;
  ChannelSums* sums_;
  const Ranges& channels_;
};

/// Scratch for the sums of a task's channels.
inline std::int64_t sums_bytes(std::int64_t channels) {
  return Scratch::rounded(channels * static_cast<std::int64_t>(sizeof(ChannelSums)));
}

/// Packs and unpacks messages of statistics. On the wire a channel is two floats: forward the mean
/// and the sum of squared distances from it, so that nothing cancels (Chan, Golub and LeVeque
/// 1979); backward the two sums.
class StatisticsMail {
 public:
  /// `plan`, `arena` and `backend` must outlive it.
  StatisticsMail(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Arena& arena,
                 Backend& backend);

  void pack(const Message& m, float* out) const;
  void unpack(const Message& m, const float* in) const;

 private:
  struct Exchange {
    std::int32_t index = 0;      // of its SumRow
    std::vector<double> counts;  // by piece: values that a channel's sums are of
  };

  Exchange exchange_of(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                       const Message& m) const;

  Arena& arena_;
  Backend& backend_;
  std::vector<Exchange> exchanges_;  // by message
};

}  // namespace hpmp
