// The text form of a graph; `parse_graph(graph_text(g))` gives g back.
//
//   hpmp-graph 1
//   input x 3 32 32
//   param conv1.weight weight 16 3 3 3
//   node Conv conv1 : x : conv1.weight : y kernel=3,3 pads=1,1,1,1
//   output y
//
// Tokens are separated by blanks; a name with other than [A-Za-z0-9_./:+-] or equal to ":" stands
// in double quotes with \" \\ \n escapes. `#` starts a comment. A param line may end in `frozen`.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace hpmp {

std::string graph_text(const Graph& graph);

/// Errors: `invalid_model` with the line number and the rule.
Graph parse_graph(std::string_view text);

}  // namespace hpmp
