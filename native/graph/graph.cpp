#include "graph/graph.h"

#include <cstdio>

#include "base/error.h"
#include "graph/ops.h"
#include "graph/text.h"

namespace hpmp {

std::int64_t Param::row_elems() const {
  std::int64_t n = 1;
  for (std::size_t i = 1; i < dims.size(); ++i) n *= dims[i];
  return n;
}

std::vector<std::vector<NodeId>> Graph::consumers() const {
  std::vector<std::vector<NodeId>> readers(values.size());
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId v : nodes[n].inputs) readers[v.at()].push_back(NodeId(static_cast<int>(n)));
  }
  return readers;
}

ValueId add_node(Graph& graph, OpKind op, std::string name, std::vector<ValueId> inputs,
                 std::vector<ParamId> params, Attrs attrs, std::string output_name) {
  Node node;
  node.op = op;
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.params = std::move(params);
  node.attrs = attrs;
  node.output = ValueId(static_cast<std::int64_t>(graph.values.size()));
  const Shape shape = infer_shape(graph, node);
  graph.values.push_back(
      {std::move(output_name), shape, NodeId(static_cast<std::int64_t>(graph.nodes.size()))});
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().output;
}

std::string graph_hash(const Graph& graph) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (unsigned char c : graph_text(graph)) hash = (hash ^ c) * 1099511628211ULL;
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash));
  return hex;
}

}  // namespace hpmp
