// Index algebra: what a value that no kernel computes (concat, slice, shuffle, flatten) is made of.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace hpmp {

/// Channels `source_c` of a computed value stand at position `at` of the viewed value's channels,
/// both counted in the source's channels (a flattened feature block counts as its channel).
struct Segment {
  ValueId source;
  Range source_c;
  std::int64_t at = 0;
};

/// Channels of one computed value, in its own count.
struct SourceChannels {
  ValueId source;
  Ranges channels;
};

/// A value as an ordered list of segments of computed values, together [0, channels).
struct View {
  std::vector<Segment> segments;
  std::vector<ValueId> sources;  // of the segments, each once, ascending
  std::int64_t channels = 0;

  /// Segments covering only `c` of the view, positions kept.
  std::vector<Segment> within(Range c) const;
  /// What stands in channels `c` of the view, by source.
  std::vector<SourceChannels> sources_within(const Ranges& c) const;
  /// The view is one whole computed value.
  bool is_whole(const Graph& graph) const;
};

/// The values of a graph, resolved through index maps to values that nodes compute (or the input):
/// each once, from the views of the values that it is put together from.
class Views {
 public:
  /// The graph must outlive it.
  /// Errors: `unsupported_op` for a slice of a flattened value.
  explicit Views(const Graph& graph);

  const View& of(ValueId v) const { return views_[v.at()]; }
  /// Segments that were put into views: what resolving the graph cost.
  std::int64_t work() const { return work_; }

 private:
  View resolved(const Graph& graph, const Node& node) const;

  std::vector<View> views_;  // by ValueId
  std::int64_t work_ = 0;
};

}  // namespace hpmp
