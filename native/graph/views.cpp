#include "graph/views.h"

#include <numeric>

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

void append(View& view, const View& tail) {
  for (const Segment& s : tail.segments) append(view, s);
}

View sliced(const View& source, Range c) {
  View view;
  for (Segment s : source.within(c)) append(view, s);
  return view;
}

View shuffled(const View& source, std::int64_t groups) {
  View view;
  const std::int64_t each = source.channels / groups;
  for (std::int64_t j = 0; j < each; ++j) {
    for (std::int64_t g = 0; g < groups; ++g) {
      append(view, sliced(source, {g * each + j, g * each + j + 1}));
    }
  }
  return view;
}

}  // namespace

std::vector<Segment> View::within(Range c) const {
  std::vector<Segment> found;
  for (const Segment& s : segments) {
    const Range common = intersect(c, Range{s.at, s.at + s.source_c.size()});
    if (common.empty()) continue;
    const std::int64_t skip = common.begin - s.at;
    found.push_back({s.source,
                     {s.source_c.begin + skip, s.source_c.begin + skip + common.size()},
                     common.begin});
  }
  return found;
}

bool View::is_whole(const Graph& graph) const {
  return segments.size() == 1 &&
         segments[0].source_c == Range{0, graph.shape(segments[0].source).c};
}

View resolve(const Graph& graph, ValueId v) {
  const Node& node = graph.node(graph.value(v).producer);
  View view;
  switch (node.op) {
    case OpKind::identity:
      return resolve(graph, node.inputs[0]);
    case OpKind::flatten: {
      // A flattened value keeps its source's channels; a consumer that cannot read whole channels
      // of features does not exist (Dense reads all), and slices of it are refused here.
      return resolve(graph, node.inputs[0]);
    }
    case OpKind::concat:
      for (ValueId in : node.inputs) append(view, resolve(graph, in));
      return view;
    case OpKind::slice: {
      const View source = resolve(graph, node.inputs[0]);
      if (source.channels != graph.shape(node.inputs[0]).c) {
        fail(ErrorCode::unsupported_op,
             "node '" + node.name +
                 "' (Slice): cuts a flattened value; slice the channels before the Flatten");
      }
      return sliced(source, node.attrs.range);
    }
    case OpKind::channel_shuffle:
      return shuffled(resolve(graph, node.inputs[0]), node.attrs.groups);
    default:
      append(view, {v, {0, graph.shape(v).c}, 0});
      return view;
  }
}

}  // namespace hpmp
