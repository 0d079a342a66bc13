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

/// A value as an ordered list of segments of computed values, together [0, channels).
struct View {
  std::vector<Segment> segments;
  std::int64_t channels = 0;

  /// Segments covering only `c` of the view, positions kept.
  std::vector<Segment> within(Range c) const;
  /// The view is one whole computed value.
  bool is_whole(const Graph& graph) const;
};

/// Resolves `v` through index maps to values that nodes compute (or the input).
View resolve(const Graph& graph, ValueId v);

}  // namespace hpmp
