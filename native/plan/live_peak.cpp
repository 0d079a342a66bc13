#include "plan/live_peak.h"

#include <algorithm>

#include "plan/chain.h"
#include "plan/ownership.h"
#include "plan/touch.h"

namespace hpmp {
namespace {

constexpr auto kImage = static_cast<std::size_t>(TensorKind::image);
constexpr auto kGrad = static_cast<std::size_t>(TensorKind::image_grad);

}  // namespace

LivePeak::LivePeak(const StepModel& model, int ranks)
    : model_(model), ranks_(ranks), saved_(model.groups.size()) {
  for (std::size_t i = 0; i < model.groups.size(); ++i) {
    const GroupId g(static_cast<std::int64_t>(i));
    touches_.push_back({touches_of(g, InstrKind::forward), touches_of(g, InstrKind::backward)});
    add_input_reads(g);
  }
  std::stable_sort(input_reads_.begin(), input_reads_.end(),
                   [](const InputRead& a, const InputRead& b) { return a.input < b.input; });
  index_.resize(model.groups.size() * static_cast<std::size_t>(model.h.grid.shards * ranks));
  events_.resize(static_cast<std::size_t>(ranks));
}

std::vector<LivePeak::Touch> LivePeak::touches_of(GroupId g, InstrKind kind) const {
  std::vector<Touch> found;
  if (model_.h.blocks[g.at()] == 0) return found;
  Instr instr;
  instr.kind = kind;
  instr.group = g;
  instr.shard = 0;
  for (const TensorKey& key : touched(model_.h.graph, model_.h.grouped, {}, instr))
    found.push_back({static_cast<std::size_t>(key.kind), key.group});
  return found;
}

void LivePeak::add_input_reads(GroupId reader) {
  const Hypergraph& h = model_.h;
  const Group& group = h.grouped.group(reader);
  for (std::size_t k = 0; k < group.inputs.size(); ++k) {
    for (const Segment& segment : group.inputs[k].view.segments) {
      const GroupId source = h.grouped.group_of_value[segment.source.at()];
      if (h.blocks[source.at()] != 0) continue;
      InputRead read{source, reader, {}};
      for (std::int32_t b = 0; b < h.blocks[reader.at()]; ++b) {
        const Range own = h.cells[h.cell(reader, 0, b).at()].region.c;
        Ranges channels;
        for (Range need : needed_channels(h.graph, group, {own}, k)) {
          for (const Segment& part : group.inputs[k].view.within(need)) {
            if (part.source == segment.source) channels.push_back(part.source_c);
          }
        }
        read.blocks.push_back(std::move(channels));
      }
      input_reads_.push_back(std::move(read));
    }
  }
}

const std::vector<std::int64_t>& LivePeak::find(const std::vector<Rank>& part,
                                                const TaskGraph& graph, const Schedule& schedule) {
  for (std::vector<Event>& events : events_) events.clear();
  hold(part, graph);
  touch_tasks(graph, schedule);
  touch_messages(graph, schedule);
  add_tensors();
  peak_.clear();
  for (std::vector<Event>& events : events_) {
    std::sort(events.begin(), events.end());
    std::int64_t live = 0, most = 0;
    for (const Event& event : events) most = std::max(most, live += event.bytes);
    peak_.push_back(most);
  }
  return peak_;
}

void LivePeak::hold(const std::vector<Rank>& part, const TaskGraph& graph) {
  std::fill(index_.begin(), index_.end(), -1);
  holdings_.clear();
  const std::int64_t samples = model_.h.grid.batch / model_.h.grid.shards;
  for (std::size_t c = 0; c < part.size(); ++c) {
    const Cell& cell = model_.h.cells[c];
    const Shape& shape = model_.h.grouped.group(cell.group).shape;
    Holding& here = held(cell.group, cell.shard, part[c]);
    here.channels += cell.region.c.size();
    here.image_bytes += 4 * samples * cell.region.c.size() * shape.h * shape.w;
  }
  for (const Flow& flow : graph.flows) {
    if (flow.kind != MessageKind::activation) break;  // the first kind of all
    held(flow.group, flow.shard, flow.to).image_bytes += 4 * flow.elems;
  }
  for (std::size_t i = 0; i < input_reads_.size(); ++i) {
    if (i > 0 && input_reads_[i].input == input_reads_[i - 1].input) continue;
    for (std::int32_t s = 0; s < model_.h.grid.shards; ++s)
      hold_input(input_reads_[i].input, s, part);
  }
}

/// An input's image has what the rank's cells read of it.
void LivePeak::hold_input(GroupId input, std::int32_t s, const std::vector<Rank>& part) {
  std::vector<Ranges> needs(static_cast<std::size_t>(ranks_));
  for (const InputRead& read : input_reads_) {
    if (read.input != input) continue;
    const std::size_t cell = model_.h.cell(read.reader, s, 0).at();
    for (std::size_t b = 0; b < read.blocks.size(); ++b) {
      Ranges& need = needs[static_cast<std::size_t>(part[cell + b])];
      need.insert(need.end(), read.blocks[b].begin(), read.blocks[b].end());
    }
  }
  const Shape& shape = model_.h.grouped.group(input).shape;
  const std::int64_t pixels = model_.h.grid.batch / model_.h.grid.shards * shape.h * shape.w;
  for (Rank r = 0; r < ranks_; ++r) {
    const Ranges channels = normalized(std::move(needs[static_cast<std::size_t>(r)]));
    if (!channels.empty()) held(input, s, r).image_bytes = 4 * pixels * total_size(channels);
  }
}

LivePeak::Holding& LivePeak::held(GroupId g, std::int32_t s, Rank r) {
  std::int32_t& i = index_[at(g, s, r)];
  if (i < 0) {
    i = static_cast<std::int32_t>(holdings_.size());
    Holding here;
    here.rank = r;
    here.group = g;
    here.shard = s;
    holdings_.push_back(here);
  }
  return holdings_[static_cast<std::size_t>(i)];
}

void LivePeak::touch(GroupId g, std::size_t kind, std::int32_t s, Rank r, const Instant& when) {
  const std::int32_t i = index_[at(g, s, r)];
  if (i < 0) return;  // nothing of it is here
  Span& span = holdings_[static_cast<std::size_t>(i)].spans[kind];
  if (!span.any || when < span.first) span.first = when;
  if (!span.any || span.last < when) span.last = when;
  span.any = true;
}

void LivePeak::touch_tasks(const TaskGraph& graph, const Schedule& schedule) {
  for (std::int32_t i = 0; i < graph.first_message; ++i) {
    const Task& task = graph.tasks[static_cast<std::size_t>(i)];
    if (task.kind != TaskKind::forward && task.kind != TaskKind::backward) continue;
    const Touches& of = touches_[task.group.at()];
    const Instant when{schedule.start[static_cast<std::size_t>(i)], Slot::task, i};
    for (const Touch& t : task.kind == TaskKind::forward ? of.forward : of.backward)
      touch(t.group, t.kind, task.shard, task.rank, when);
  }
}

void LivePeak::touch_messages(const TaskGraph& graph, const Schedule& schedule) {
  for (std::size_t m = 0; m < graph.flows.size(); ++m) {
    const Flow& flow = graph.flows[m];
    const auto tag = static_cast<Tag>(m);
    const MessageTimes times = message_times(graph, schedule, tag);
    const Instant send{times.sent, Slot::send, tag}, recv{times.used, Slot::recv, tag};
    add(flow.from, send, {times.used, Slot::wait, tag}, 4 * flow.elems);
    add(flow.to, {times.sent, Slot::post, tag}, recv, 4 * flow.elems);
    if (flow.kind != MessageKind::activation && flow.kind != MessageKind::gradient) continue;
    const std::size_t kind = flow.kind == MessageKind::activation ? kImage : kGrad;
    touch(flow.group, kind, flow.shard, flow.from, send);
    touch(flow.group, kind, flow.shard, flow.to, recv);
  }
}

void LivePeak::add_tensors() {
  for (const Holding& here : holdings_) {
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      Span span = here.spans[kind];
      if (!span.any) continue;
      if (model_.h.blocks[here.group.at()] == 0)
        span.first = load_instant(span.first.at, here.group, here.shard, model_.h.grid.shards);
      add(here.rank, span.first, span.last, bytes_of(here, kind));
    }
  }
}

void LivePeak::add(Rank r, const Instant& first, const Instant& last, std::int64_t bytes) {
  std::vector<Event>& events = events_[static_cast<std::size_t>(r)];
  events.push_back({first, false, bytes});
  events.push_back({last, true, -bytes});
}

std::int64_t LivePeak::bytes_of(const Holding& here, std::size_t kind) {
  return kind == kImage || kind == kGrad ? here.image_bytes
                                         : saved_bytes(here.group, here.channels);
}

std::int64_t LivePeak::saved_bytes(GroupId g, std::int64_t channels) {
  const auto [it, is_new] = saved_[g.at()].try_emplace(channels, 0);
  const GridSpec& grid = model_.h.grid;
  if (is_new) {
    it->second = chain_layout(model_.h.graph, model_.h.grouped.group(g), grid.batch / grid.shards,
                              channels, grid.bn_group)
                     .bytes;
  }
  return it->second;
}

std::size_t LivePeak::at(GroupId g, std::int32_t s, Rank r) const {
  const auto shards = static_cast<std::size_t>(model_.h.grid.shards);
  return (g.at() * shards + static_cast<std::size_t>(s)) * static_cast<std::size_t>(ranks_) +
         static_cast<std::size_t>(r);
}

}  // namespace hpmp
