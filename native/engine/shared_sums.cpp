#include "engine/shared_sums.h"

#include <algorithm>

#include "base/error.h"
#include "hypergraph/stages.h"

namespace hpmp {
namespace {

/// Samples whose sums rank `r` sends: of the shards for which it computes the channels.
std::int64_t samples_of(const Plan& plan, const Letter& l, Rank r, Range channels) {
  std::int64_t samples = 0;
  for (const OwnedChannels& t : plan.programs[static_cast<std::size_t>(r)].tasks) {
    if (t.group == l.group && plan.grid.first_sharing(t.shard) == l.shard &&
        subtract({channels}, t.channels).empty())
      samples += plan.grid.shard_samples();
  }
  return samples;
}

/// As the two floats of the wire.
void encode(const ChannelSums& sums, double count, bool backward, float* out) {
  const double mean = sums.first / count;
  out[0] = static_cast<float>(backward ? sums.first : mean);
  out[1] = static_cast<float>(backward ? sums.second : sums.second - mean * sums.first);
}

ChannelSums decode(const float* in, double count, bool backward) {
  const double first = in[0], second = in[1];
  if (backward) return {first, second};
  return {count * first, second + count * first * first};
}

}  // namespace

SumRow::SumRow(Arena& arena, GroupId g, std::int32_t shard, std::int32_t exchange)
    : sums_(reinterpret_cast<ChannelSums*>(arena.get({TensorKind::statistics, g, shard, -1}).data)),
      channels_(arena.get({TensorKind::statistics, g, shard, -1}).plan->channels) {
  sums_ += exchange * total_size(channels_);
}

void SumRow::clear() { std::fill_n(sums_, total_size(channels_), ChannelSums()); }

ChannelSums* SumRow::at(Range range) const {
  const std::int64_t position = packed_position(channels_, range.begin);
  ensure(position >= 0, "a rank has room for the statistics of its channels");
  return sums_ + position;
}

void SumRow::add(const Ranges& of, const ChannelSums* part) {
  for (Range range : of) {
    ChannelSums* to = at(range);
    for (std::int64_t c = 0; c < range.size(); ++c, ++part) {
      to[c].first += part->first;
      to[c].second += part->second;
    }
  }
}

void SumRow::read(const Ranges& of, ChannelSums* to) const {
  for (Range range : of) to = std::copy_n(at(range), range.size(), to);
}

StatisticsMail::StatisticsMail(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                               Arena& arena)
    : arena_(arena) {
  for (const Message& m : plan.messages)
    exchanges_.push_back(is_statistics(m.kind) ? exchange_of(graph, grouped, plan, m) : Exchange());
}

StatisticsMail::Exchange StatisticsMail::exchange_of(const Graph& graph,
                                                     const GroupedGraph& grouped, const Plan& plan,
                                                     const Message& m) const {
  const Letter& l = m.lead();
  const Group& group = grouped.group(l.group);
  const std::vector<std::size_t> norms = synced_norms(graph, group, plan.grid);
  const auto count = static_cast<std::int32_t>(norms.size());
  Exchange exchange;
  exchange.index = is_backward(m.kind) ? count + l.stage : l.stage;
  const auto at = is_backward(m.kind) ? backward_norm(norms.size(), l.stage) : l.stage;
  const NodeId norm = group.nodes[norms[static_cast<std::size_t>(at)]];
  const Shape& shape = graph.shape(graph.node(norm).output);
  for (const Piece& p : l.pieces) {
    const std::int64_t samples =
        is_partial(m.kind) ? samples_of(plan, l, m.from, p.range) : plan.grid.bn_group;
    exchange.counts.push_back(static_cast<double>(samples * shape.h * shape.w));
  }
  return exchange;
}

void StatisticsMail::pack(const Message& m, float* out) const {
  const Exchange& exchange = exchanges_[static_cast<std::size_t>(m.tag)];
  const Letter& l = m.lead();
  const SumRow row(arena_, l.group, l.shard, exchange.index);
  for (std::size_t i = 0; i < l.pieces.size(); ++i) {
    const Range range = l.pieces[i].range;
    const ChannelSums* sums = row.at(range);
    for (std::int64_t c = 0; c < range.size(); ++c, out += 2)
      encode(sums[c], exchange.counts[i], is_backward(m.kind), out);
  }
}

void StatisticsMail::unpack(const Message& m, const float* in) const {
  const Exchange& exchange = exchanges_[static_cast<std::size_t>(m.tag)];
  const Letter& l = m.lead();
  const SumRow row(arena_, l.group, l.shard, exchange.index);
  for (std::size_t i = 0; i < l.pieces.size(); ++i) {
    const Range range = l.pieces[i].range;
    ChannelSums* sums = row.at(range);
    for (std::int64_t c = 0; c < range.size(); ++c, in += 2) {
      const ChannelSums got = decode(in, exchange.counts[i], is_backward(m.kind));
      if (!is_partial(m.kind)) sums[c] = {};
      sums[c].first += got.first;
      sums[c].second += got.second;
    }
  }
}

}  // namespace hpmp
