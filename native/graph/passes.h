// Graph-to-graph rewrites that every graph goes through before it is cut.
#pragma once

#include "graph/graph.h"

namespace hpmp {

/// Removes nodes whose value reaches no output.
Graph without_dead_nodes(const Graph& graph);

/// Moves Flatten behind elementwise ops, so that these fuse with what feeds them.
Graph with_late_flatten(const Graph& graph);

/// Drops final Softmaxes and LogSoftmaxes and appends a loss to every output whose weight is not 0;
/// the losses are the only outputs. `weights`: by output, 0 for those that are missing. Errors:
/// `invalid_argument` if no output has a weight, or two that have one cannot share labels.
Graph with_loss(const Graph& graph, const std::vector<double>& weights = {1});

/// Appends an `output` node to every output: the graph of an inference plan.
Graph with_outputs(const Graph& graph);

}  // namespace hpmp
