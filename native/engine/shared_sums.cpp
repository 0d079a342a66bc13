#include "engine/shared_sums.h"

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

}  // namespace

SumRow::SumRow(Arena& arena, Backend& backend, GroupId g, std::int32_t shard, std::int32_t exchange)
    : backend_(backend),
      sums_(reinterpret_cast<ChannelSums*>(arena.get({TensorKind::statistics, g, shard, -1}).data)),
      channels_(arena.get({TensorKind::statistics, g, shard, -1}).plan->channels) {
  sums_ += exchange * total_size(channels_);
}

void SumRow::clear() {
  backend_.clear(sums_, total_size(channels_) * static_cast<std::int64_t>(sizeof(ChannelSums)));
}

ChannelSums* SumRow::at(Range range) const {
  const std::int64_t position = packed_position(channels_, range.begin);
  ensure(position >= 0, "a rank has room for the statistics of its channels");
  return sums_ + position;
}

void SumRow::add(const Ranges& of, const ChannelSums* part) {
  for (Range range : of) {
    backend_.add_sums(at(range), part, range.size());
    part += range.size();
  }
}

void SumRow::read(const Ranges& of, ChannelSums* to) const {
  for (Range range : of) {
    backend_.copy(to, at(range), range.size() * static_cast<std::int64_t>(sizeof(ChannelSums)));
    to += range.size();
  }
}

StatisticsMail::StatisticsMail(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                               Arena& arena, Backend& backend)
    : arena_(arena), backend_(backend) {
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
  const SumRow row(arena_, backend_, l.group, l.shard, exchange.index);
  for (std::size_t i = 0; i < l.pieces.size(); ++i) {
    const Range range = l.pieces[i].range;
    backend_.encode_sums(out, row.at(range), range.size(), exchange.counts[i], is_backward(m.kind));
    out += 2 * range.size();
  }
}

void StatisticsMail::unpack(const Message& m, const float* in) const {
  const Exchange& exchange = exchanges_[static_cast<std::size_t>(m.tag)];
  const Letter& l = m.lead();
  const SumRow row(arena_, backend_, l.group, l.shard, exchange.index);
  for (std::size_t i = 0; i < l.pieces.size(); ++i) {
    const Range range = l.pieces[i].range;
    backend_.decode_sums(row.at(range), in, range.size(), exchange.counts[i], is_backward(m.kind),
                         is_partial(m.kind));
    in += 2 * range.size();
  }
}

}  // namespace hpmp
