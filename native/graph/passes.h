// Graph-to-graph rewrites that every graph goes through before it is cut.
#pragma once

#include "graph/graph.h"

namespace hpmp {

/// Removes nodes whose value reaches no output.
Graph without_dead_nodes(const Graph& graph);

/// Moves Flatten behind elementwise ops, so that these fuse with what feeds them.
Graph with_late_flatten(const Graph& graph);

/// Drops a final Softmax and appends the loss of the first output; the loss is the only output.
/// Errors: `invalid_model` if the first output is not (classes, 1, 1).
Graph with_loss(const Graph& graph);

/// Appends an `output` node to every output: the graph of an inference plan.
Graph with_outputs(const Graph& graph);

}  // namespace hpmp
