#include "plan/live_peak.h"

#include <algorithm>

#include "plan/chain.h"
#include "plan/ownership.h"
#include "plan/touch.h"

namespace hpmp {

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

std::vector<std::vector<LivePeak::Touch>> LivePeak::touches_of(GroupId g, InstrKind kind) const {
  std::vector<std::vector<Touch>> stages;
  if (model_.h.blocks[g.at()] == 0) return stages;
  Instr instr;
  instr.kind = kind;
  instr.group = g;
  instr.shard = 0;
  for (; instr.stage <= model_.groups[g.at()].norms(); ++instr.stage) {
    std::vector<Touch> found;
    for (const TensorKey& key : touched(model_.h.graph, model_.h.grouped, model_.h.grid, {}, instr))
      found.push_back({key.kind, key.group});
    stages.push_back(std::move(found));
  }
  return stages;
}

void LivePeak::add_input_reads(GroupId reader) {
  const Hypergraph& h = model_.h;
  const Group& group = h.grouped.group(reader);
  for (std::size_t k = 0; k < group.inputs.size(); ++k) {
    for (ValueId value : group.inputs[k].view.sources) {
      const GroupId source = h.grouped.group_of_value[value.at()];
      if (h.blocks[source.at()] != 0) continue;
      InputRead read{source, reader, {}};
      for (std::int32_t b = 0; b < h.blocks[reader.at()]; ++b) {
        const Range own = h.cells[h.cell(reader, 0, b).at()].region.c;
        read.blocks.emplace_back();
        for (SourceChannels& part : read_channels(h.graph, group, {own}, k)) {
          if (part.source == value) read.blocks.back() = std::move(part.channels);
        }
      }
      input_reads_.push_back(std::move(read));
    }
  }
}

const std::vector<std::int64_t>& LivePeak::find(const std::vector<Rank>& part,
                                                const TaskGraph& graph, const Schedule& schedule) {
  for (std::vector<Event>& events : events_) events.clear();
  hold(part, graph);
  touch_redos(graph, schedule);
  touch_tasks(graph, schedule);
  touch_messages(graph, schedule);
  add_tensors();
  peak_.clear();
  peak_at_.clear();
  for (std::vector<Event>& events : events_) {
    std::sort(events.begin(), events.end());
    std::int64_t live = 0, most = 0;
    Instant at;
    for (const Event& event : events) {
      live += event.bytes;
      if (live > most) most = live, at = event.when;
    }
    peak_.push_back(most);
    peak_at_.push_back(at);
  }
  return peak_;
}

std::int64_t LivePeak::bytes_of(const Flow& flow) const {
  return message_bytes(flow.kind, flow.elems, model_.h.grid.dtype);
}

void LivePeak::hold(const std::vector<Rank>& part, const TaskGraph& graph) {
  std::fill(index_.begin(), index_.end(), -1);
  holdings_.clear();
  hold_cells(part);
  for (const Flow& flow : graph.flows) {
    if (flow.kind != MessageKind::activation) break;  // the first kind of all
    held(flow.group, flow.shard, flow.to).image_bytes += bytes_of(flow);
  }
  for (std::size_t i = 0; i < input_reads_.size(); ++i) {
    if (i > 0 && input_reads_[i].input == input_reads_[i - 1].input) continue;
    for (std::int32_t s = 0; s < model_.h.grid.shards; ++s)
      hold_input(input_reads_[i].input, s, part);
  }
}

void LivePeak::hold_cells(const std::vector<Rank>& part) {
  const GridSpec& grid = model_.h.grid;
  for (std::size_t c = 0; c < part.size(); ++c) {
    const Cell& cell = model_.h.cells[c];
    const Group& group = model_.h.grouped.group(cell.group);
    const Shape& shape = group.shape;
    Holding& here = held(cell.group, cell.shard, part[c]);
    const std::int64_t bytes = grid.shard_samples() * cell.region.c.size() * shape.h * shape.w *
                               elem_bytes(image_type(model_.h.graph, group, grid));
    here.channels += cell.region.c.size();
    here.image_bytes += bytes;
    here.own_bytes += bytes;
  }
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    if (model_.groups[g].norms() == 0) continue;
    for (std::int64_t s = 0; s < grid.shards; s += grid.statistics_shards())
      hold_statistics(GroupId(static_cast<std::int64_t>(g)), static_cast<std::int32_t>(s), part);
  }
}

void LivePeak::hold_statistics(GroupId g, std::int32_t first, const std::vector<Rank>& part) {
  const Hypergraph& h = model_.h;
  std::vector<std::int32_t> counted(static_cast<std::size_t>(ranks_), -1);
  for (std::int32_t b = 0; b < h.blocks[g.at()]; ++b) {
    const std::int64_t channels = h.cells[h.cell(g, first, b).at()].region.c.size();
    for (std::int32_t s = first; s < first + h.grid.statistics_shards(); ++s) {
      const Rank r = part[h.cell(g, s, b).at()];
      if (counted[static_cast<std::size_t>(r)] == b) continue;
      counted[static_cast<std::size_t>(r)] = b;
      held(g, first, r).shared_channels += channels;
    }
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
  const std::int64_t pixels = model_.h.grid.shard_samples() * shape.h * shape.w;
  for (Rank r = 0; r < ranks_; ++r) {
    const Ranges channels = normalized(std::move(needs[static_cast<std::size_t>(r)]));
    if (!channels.empty())
      held(input, s, r).image_bytes =
          elem_bytes(model_.h.grid.dtype) * pixels * total_size(channels);
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

void LivePeak::Span::touch(const Instant& when, bool in_backward) {
  if (!any || when < first) first = when;
  if (!any || last < when) last = when;
  if (!in_backward && (!any || forward < when)) forward = when;
  if (in_backward && (!returns || when < backward)) backward = when;
  returns |= in_backward;
  any = true;
}

void LivePeak::touch(GroupId g, TensorKind kind, std::int32_t s, Rank r, const Instant& when,
                     bool in_backward) {
  if (kind == TensorKind::statistics) s = model_.h.grid.first_sharing(s);
  const std::int32_t i = index_[at(g, s, r)];
  if (i < 0) return;  // nothing of it is here
  holdings_[static_cast<std::size_t>(i)].span(kind, when).touch(when, in_backward);
}

/// Before all other touches: these are of one life or the other.
void LivePeak::touch_redos(const TaskGraph& graph, const Schedule& schedule) {
  const auto task_of = [&](const Redo& redo) -> const Task& {
    return graph.tasks[static_cast<std::size_t>(redo.forward)];
  };
  for (const Redo& redo : graph.redos) {
    const Task& task = task_of(redo);
    Holding& here = held(task.group, task.shard, task.rank);
    here.again = true;
    here.redo = redo_instant(schedule, redo);
  }
  for (const Redo& redo : graph.redos) {
    const Task& task = task_of(redo);
    for (const Touch& t : touches_[task.group.at()].forward[0])
      touch(t.group, t.kind, task.shard, task.rank, redo_instant(schedule, redo), true);
  }
}

void LivePeak::touch_tasks(const TaskGraph& graph, const Schedule& schedule) {
  for (std::int32_t i = 0; i < graph.first_message; ++i) {
    const Task& task = graph.tasks[static_cast<std::size_t>(i)];
    if (task.kind != TaskKind::forward && task.kind != TaskKind::backward) continue;
    const Touches& of = touches_[task.group.at()];
    const auto stage = static_cast<std::size_t>(task.stage);
    const Instant when{schedule.start[static_cast<std::size_t>(i)], Slot::task, i};
    const bool backward = task.kind == TaskKind::backward;
    for (const Touch& t : (backward ? of.backward : of.forward)[stage])
      touch(t.group, t.kind, task.shard, task.rank, when, backward);
  }
}

void LivePeak::touch_messages(const TaskGraph& graph, const Schedule& schedule) {
  for (Tag tag = 0; tag < graph.messages(); ++tag) {
    const Flow& lead = graph.lead(tag);
    const MessageTimes times = message_times(graph, schedule, tag);
    const Instant send{times.sent, Slot::send, tag}, take{times.used, taking_slot(lead.kind), tag};
    std::int64_t bytes = 0;
    graph.each_flow(tag, [&](std::int32_t i) {
      const Flow& flow = graph.flows[static_cast<std::size_t>(i)];
      bytes += bytes_of(flow);
      touch_ends(flow, send, take);
    });
    add(lead.from, send, {times.used, Slot::wait, tag}, bytes);
    add(lead.to, {times.sent, Slot::post, tag}, take, bytes);
  }
}

/// What a message is gathered from and scattered to.
void LivePeak::touch_ends(const Flow& flow, const Instant& send, const Instant& take) {
  TensorKind kind = TensorKind::statistics;
  if (flow.kind == MessageKind::param || flow.kind == MessageKind::param_gradient) return;
  if (flow.kind == MessageKind::activation) kind = TensorKind::image;
  if (flow.kind == MessageKind::gradient) kind = TensorKind::image_grad;
  const bool backward = is_backward(flow.kind);
  touch(flow.group, kind, flow.shard, flow.from, send, backward);
  touch(flow.group, kind, flow.shard, flow.to, take, backward);
}

void LivePeak::add_tensors() {
  for (const Holding& here : holdings_) {
    for (std::size_t kind = 0; kind < here.spans.size(); ++kind) {
      Span span = here.spans[kind];
      if (!span.any) continue;
      if (model_.h.blocks[here.group.at()] == 0)
        span.first = load_instant(span.first.at, here.group, here.shard, model_.h.grid.shards);
      add(here.rank, span.first, span.last, bytes_of(here, static_cast<TensorKind>(kind)));
    }
    for (TensorKind kind : {TensorKind::image, TensorKind::saved}) {
      const Span& span = kind == TensorKind::image ? here.image_again : here.saved_again;
      if (span.any) add(here.rank, span.first, span.last, bytes_of(here, kind));
    }
  }
}

void LivePeak::add(Rank r, const Instant& first, const Instant& last, std::int64_t bytes) {
  std::vector<Event>& events = events_[static_cast<std::size_t>(r)];
  events.push_back({first, false, bytes});
  events.push_back({last, true, -bytes});
}

std::int64_t LivePeak::bytes_of(const Holding& here, TensorKind kind) {
  const Hypergraph& h = model_.h;
  const Group& group = h.grouped.group(here.group);
  switch (kind) {
    case TensorKind::saved:
      return saved_bytes(here.group, here.channels);
    case TensorKind::stage_grad:
      return stage_grad_bytes(h.graph, group, h.grid, here.channels);
    case TensorKind::statistics:
      return statistics_bytes(h.graph, group, h.grid, here.shared_channels);
    default:
      return here.image_bytes;
  }
}

std::int64_t LivePeak::saved_bytes(GroupId g, std::int64_t channels) {
  const auto [it, is_new] = saved_[g.at()].try_emplace(channels, 0);
  if (is_new) {
    const Hypergraph& h = model_.h;
    it->second = chain_layout(h.graph, h.grouped.group(g), h.grid, channels).bytes;
  }
  return it->second;
}

std::size_t LivePeak::at(GroupId g, std::int32_t s, Rank r) const {
  const auto shards = static_cast<std::size_t>(model_.h.grid.shards);
  return (g.at() * shards + static_cast<std::size_t>(s)) * static_cast<std::size_t>(ranks_) +
         static_cast<std::size_t>(r);
}

}  // namespace hpmp
