#include "graph/passes.h"

#include <map>

#include "base/error.h"
#include "graph/ops.h"

namespace hpmp {
namespace {

/// Copies a graph node by node into a new one, dropping parameters that no copied node uses.
class Rebuilder {
 public:
  explicit Rebuilder(const Graph& source) : source_(source), new_param_(source.params.size()) {}

  ValueId copy(const Node& node, std::vector<ValueId> inputs) {
    if (node.op == OpKind::input) return copy_input(node);
    std::vector<ParamId> params;
    for (ParamId p : node.params) params.push_back(param(p));
    return add_node(graph, node.op, node.name, std::move(inputs), std::move(params), node.attrs,
                    source_.value(node.output).name);
  }

  Graph graph;

 private:
  ValueId copy_input(const Node& node) {
    Node n = node;
    n.output = ValueId(static_cast<std::int64_t>(graph.values.size()));
    Value v = source_.value(node.output);
    v.producer = NodeId(static_cast<std::int64_t>(graph.nodes.size()));
    graph.values.push_back(std::move(v));
    graph.nodes.push_back(std::move(n));
    return graph.nodes.back().output;
  }

  ParamId param(ParamId p) {
    if (!new_param_[p.at()].valid()) {
      new_param_[p.at()] = ParamId(static_cast<std::int64_t>(graph.params.size()));
      graph.params.push_back(source_.param(p));
    }
    return new_param_[p.at()];
  }

  const Graph& source_;
  std::vector<ParamId> new_param_;
};

std::vector<ValueId> mapped(const std::vector<ValueId>& values, const std::vector<ValueId>& to) {
  std::vector<ValueId> out;
  for (ValueId v : values) out.push_back(to[v.at()]);
  return out;
}

Graph kept(const Graph& graph, const std::vector<ValueId>& outputs) {
  std::vector<bool> needed(graph.values.size(), false);
  for (ValueId v : outputs) needed[v.at()] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    if (!needed[graph.nodes[n].output.at()]) continue;
    for (ValueId v : graph.nodes[n].inputs) needed[v.at()] = true;
  }
  Rebuilder to(graph);
  std::vector<ValueId> moved(graph.values.size());
  for (const Node& node : graph.nodes) {
    if (needed[node.output.at()])
      moved[node.output.at()] = to.copy(node, mapped(node.inputs, moved));
  }
  to.graph.outputs = mapped(outputs, moved);
  return std::move(to.graph);
}

/// `v` without the softmax and index maps that end a classifier.
ValueId before_softmax(const Graph& graph, ValueId v) {
  const Node& node = graph.node(graph.value(v).producer);
  if (node.op == OpKind::identity) return before_softmax(graph, node.inputs[0]);
  if (node.op == OpKind::flatten && graph.shape(node.inputs[0]) == graph.shape(v)) {
    return before_softmax(graph, node.inputs[0]);
  }
  const bool scores = node.op == OpKind::softmax || node.op == OpKind::log_softmax;
  return scores ? node.inputs[0] : v;
}

/// Whether the node does the same to maps as to their flattened form.
bool is_elementwise(const Node& node) {
  const OpInfo& info = op_info(node.op);
  return info.channels == ChannelClass::local && info.gradient_in_place && node.params.empty();
}

class LateFlatten {
 public:
  explicit LateFlatten(const Graph& graph)
      : source_(graph), to_(graph), moved_(graph.values.size()), flat_(graph.values.size()) {}

  Graph run() {
    for (const Node& node : source_.nodes) visit(node);
    for (ValueId v : source_.outputs) to_.graph.outputs.push_back(flattened(v));
    return std::move(to_.graph);
  }

 private:
  void visit(const Node& node) {
    const bool moves = is_elementwise(node);
    const ValueId in = node.inputs.empty() ? ValueId() : node.inputs[0];
    const std::size_t out = node.output.at();
    if (node.op == OpKind::flatten) {
      // Flattening twice is flattening once.
      moved_[out] = moved_[in.at()];
      flat_[out] = true;
    } else if (moves && flat_[in.at()]) {
      moved_[out] = to_.copy(node, {moved_[in.at()]});
      flat_[out] = true;
    } else {
      std::vector<ValueId> inputs;
      for (ValueId v : node.inputs) inputs.push_back(flattened(v));
      moved_[out] = to_.copy(node, std::move(inputs));
    }
  }

  ValueId flattened(ValueId v) {
    if (!flat_[v.at()]) return moved_[v.at()];
    const auto found = made_.find(moved_[v.at()]);
    if (found != made_.end()) return found->second;
    const std::string name = to_.graph.value(moved_[v.at()]).name + ".flat";
    const ValueId f = add_node(to_.graph, OpKind::flatten, name, {moved_[v.at()]}, {}, {}, name);
    made_.emplace(moved_[v.at()], f);
    return f;
  }

  const Graph& source_;
  Rebuilder to_;
  std::vector<ValueId> moved_;
  std::vector<bool> flat_;
  std::map<ValueId, ValueId> made_;
};

void expect_same_labels(const Graph& graph, ValueId first, ValueId other) {
  const Shape &a = graph.shape(first), &b = graph.shape(other);
  if (a == b) return;
  const auto text = [](const Shape& s) {
    return std::to_string(s.c) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w);
  };
  fail(ErrorCode::invalid_argument,
       "output '" + graph.value(other).name + "' is " + text(b) + " per sample, '" +
           graph.value(first).name + "' is " + text(a) +
           "; outputs that are trained share their labels, " + "so give one of them the weight 0");
}

}  // namespace

Graph without_dead_nodes(const Graph& graph) { return kept(graph, graph.outputs); }

Graph with_late_flatten(const Graph& graph) { return LateFlatten(graph).run(); }

Graph with_loss(const Graph& graph, const std::vector<double>& weights) {
  if (graph.outputs.empty()) fail(ErrorCode::invalid_model, "the graph has no output to train");
  const auto weighted = [&](std::size_t i) { return i < weights.size() && weights[i] != 0; };
  std::vector<ValueId> heads;
  std::vector<double> shares;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    if (!weighted(i)) continue;
    heads.push_back(before_softmax(graph, graph.outputs[i]));
    shares.push_back(weights[i]);
  }
  if (heads.empty())
    fail(ErrorCode::invalid_argument, "no output has a loss; give one a weight above 0");
  Graph trained = kept(graph, heads);
  const std::vector<ValueId> logits = trained.outputs;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    expect_same_labels(trained, logits[0], logits[i]);
    Attrs attrs;
    attrs.weight = shares[i];
    const std::string name = i == 0 ? "loss" : "loss:" + trained.value(logits[i]).name;
    trained.outputs[i] = add_node(trained, OpKind::loss, name, {logits[i]}, {}, attrs, name);
  }
  return trained;
}

Graph with_outputs(const Graph& graph) {
  Graph served = graph;
  for (ValueId& v : served.outputs) {
    const std::string name = "output:" + served.value(v).name;
    v = add_node(served, OpKind::output, name, {v}, {}, {}, name);
  }
  return served;
}

}  // namespace hpmp
