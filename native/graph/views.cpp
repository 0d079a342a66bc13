#include "graph/views.h"

#include <algorithm>

#include "base/error.h"
#include "graph/ops.h"

namespace hpmp {
namespace {

/// Appends `s` to the view, joining it to a segment that it continues.
void append(View& view, Segment s) {
  s.at = view.channels;
  view.channels += s.source_c.size();
  if (!view.segments.empty()) {
    Segment& last = view.segments.back();
    if (last.source == s.source && last.source_c.end == s.source_c.begin) {
      last.source_c.end = s.source_c.end;
      return;
    }
  }
  view.segments.push_back(s);
}

/// The segment that holds channel `c` of a view, or the end.
std::vector<Segment>::const_iterator holder(const View& view, std::int64_t c) {
  return std::partition_point(view.segments.begin(), view.segments.end(),
                              [c](const Segment& s) { return s.at + s.source_c.size() <= c; });
}

/// Calls `take` with the segments of channels `c` of a view, cut to these.
template <class Take>
void each_within(const View& view, Range c, const Take& take) {
  if (c.empty()) return;
  for (auto s = holder(view, c.begin); s != view.segments.end() && s->at < c.end; ++s) {
    const Range common = intersect(c, Range{s->at, s->at + s->source_c.size()});
    const std::int64_t first = s->source_c.begin + common.begin - s->at;
    take(Segment{s->source, {first, first + common.size()}, common.begin});
  }
}

void append(View& view, const View& tail, Range c) {
  each_within(tail, c, [&](const Segment& s) { append(view, s); });
}

View shuffled(const View& source, std::int64_t groups) {
  View view;
  const std::int64_t each = source.channels / groups;
  for (std::int64_t j = 0; j < each; ++j) {
    for (std::int64_t g = 0; g < groups; ++g)
      append(view, source, {g * each + j, g * each + j + 1});
  }
  return view;
}

std::vector<ValueId> sources_of(const std::vector<Segment>& segments) {
  std::vector<ValueId> sources;
  for (const Segment& s : segments) {
    if (sources.empty() || sources.back() != s.source) sources.push_back(s.source);
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  return sources;
}

}  // namespace

std::vector<Segment> View::within(Range c) const {
  std::vector<Segment> found;
  each_within(*this, c, [&](const Segment& s) { found.push_back(s); });
  return found;
}

std::vector<SourceChannels> View::sources_within(const Ranges& c) const {
  std::vector<Segment> pieces;
  for (Range range : c) each_within(*this, range, [&](const Segment& s) { pieces.push_back(s); });
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Segment& a, const Segment& b) { return a.source < b.source; });
  std::vector<SourceChannels> found;
  for (const Segment& s : pieces) {
    if (found.empty() || found.back().source != s.source) found.push_back({s.source, {}});
    found.back().channels.push_back(s.source_c);
  }
  for (SourceChannels& of : found) of.channels = normalized(std::move(of.channels));
  return found;
}

bool View::is_whole(const Graph& graph) const {
  return segments.size() == 1 &&
         segments[0].source_c == Range{0, graph.shape(segments[0].source).c};
}

Views::Views(const Graph& graph) : views_(graph.values.size()) {
  for (const Node& node : graph.nodes) {
    View view = resolved(graph, node);
    view.sources = sources_of(view.segments);
    work_ += static_cast<std::int64_t>(view.segments.size());
    views_[node.output.at()] = std::move(view);
  }
}

View Views::resolved(const Graph& graph, const Node& node) const {
  View view;
  switch (node.op) {
    case OpKind::identity:
    // A flattened value keeps its source's channels; a consumer that cannot read whole channels
    // of features does not exist (Dense reads all), and slices of it are refused here.
    case OpKind::flatten:
      return of(node.inputs[0]);
    case OpKind::concat:
      for (ValueId in : node.inputs) append(view, of(in), {0, of(in).channels});
      return view;
    case OpKind::slice:
      if (of(node.inputs[0]).channels != graph.shape(node.inputs[0]).c) {
        fail(ErrorCode::unsupported_op,
             "node '" + node.name +
                 "' (Slice): cuts a flattened value; slice the channels before the Flatten");
      }
      append(view, of(node.inputs[0]), node.attrs.range);
      return view;
    case OpKind::channel_shuffle:
      return shuffled(of(node.inputs[0]), node.attrs.groups);
    default:
      append(view, {node.output, {0, graph.shape(node.output).c}, 0});
      return view;
  }
}

}  // namespace hpmp
