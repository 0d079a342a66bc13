#include "graph/groups.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp {
namespace {

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph), views_(graph), uses_(graph.values.size(), 0) {
    result_.group_of_value.resize(graph.values.size());
  }

  GroupedGraph run() {
    for (const Node& node : graph_.nodes) count_uses(node);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      place(NodeId(static_cast<std::int64_t>(n)));
    for (Group& g : result_.groups) finish(g);
    return std::move(result_);
  }

 private:
  void count_uses(const Node& node) {
    if (op_info(node.op).channels == ChannelClass::index_map) return;
    for (ValueId v : node.inputs) {
      for (const Segment& s : views_.of(v).segments) ++uses_[s.source.at()];
    }
  }

  void place(NodeId n) {
    const Node& node = graph_.node(n);
    const ChannelClass channels = op_info(node.op).channels;
    if (channels == ChannelClass::index_map) return;
    const bool may_fuse = channels == ChannelClass::local || channels == ChannelClass::aligned;
    const std::size_t operand = may_fuse ? fusable_operand(node) : node.inputs.size();
    if (operand < node.inputs.size()) return append(n, operand);
    Group g;
    g.nodes = {n};
    g.chain_operand = {0};
    g.single_block = channels == ChannelClass::all;
    g.channel_multiple = channel_multiple(graph_, node);
    const GroupId id(static_cast<std::int64_t>(result_.groups.size()));
    result_.groups.push_back(std::move(g));
    add_inputs(result_.groups.back(), node, node.inputs.size());
    set_output(id, node.output);
  }

  /// The operand made by the latest group, if this node may be fused behind that group.
  std::size_t fusable_operand(const Node& node) const {
    std::size_t latest = node.inputs.size();
    GroupId latest_group;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      for (ValueId source : views_.of(node.inputs[k]).sources) {
        const GroupId g = result_.group_of_value[source.at()];
        if (latest_group < g || latest == node.inputs.size()) {
          latest_group = g;
          latest = k;
        }
      }
    }
    if (latest == node.inputs.size()) return latest;
    const View& view = views_.of(node.inputs[latest]);
    const Group& g = result_.group(latest_group);
    const bool fits = view.is_whole(graph_) && view.segments[0].source == g.output &&
                      graph_.shape(node.inputs[latest]) == graph_.shape(g.output) &&
                      uses_[g.output.at()] == 1 && !g.single_block;
    return fits ? latest : node.inputs.size();
  }

  void append(NodeId n, std::size_t operand) {
    const Node& node = graph_.node(n);
    const ValueId from = views_.of(node.inputs[operand]).segments[0].source;
    const GroupId id = result_.group_of_value[from.at()];
    Group& g = result_.groups[id.at()];
    result_.group_of_value[from.at()] = GroupId();
    g.nodes.push_back(n);
    g.chain_operand.push_back(operand);
    add_inputs(g, node, operand);
    set_output(id, node.output);
  }

  void add_inputs(Group& g, const Node& node, std::size_t chain_operand) {
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      if (k == chain_operand) continue;
      const View& view = views_.of(node.inputs[k]);
      refuse_flattened(node, node.inputs[k], view);
      g.inputs.push_back({g.nodes.size() - 1, k, node.inputs[k], view, false});
    }
  }

  void refuse_flattened(const Node& node, ValueId v, const View& view) const {
    const bool flattened = view.channels != graph_.shape(v).c;
    if (!flattened || node.op == OpKind::dense || node.op == OpKind::output) return;
    fail(ErrorCode::unsupported_op,
         "node '" + node.name + "' (" + op_info(node.op).name +
             "): reads the flattened feature maps '" + graph_.value(v).name +
             "'; only Gemm, Dropout and functions such as Relu may follow a Flatten of maps larger "
             "than 1x1");
  }

  void set_output(GroupId id, ValueId v) {
    result_.groups[id.at()].output = v;
    result_.groups[id.at()].shape = graph_.shape(v);
    result_.group_of_value[v.at()] = id;
  }

  void finish(Group& g) {
    for (NodeId n : g.nodes) {
      for (ParamId p : graph_.node(n).params) g.requires_grad |= graph_.param(p).trainable;
    }
    for (GroupInput& in : g.inputs) {
      for (ValueId source : in.view.sources)
        in.requires_grad |= result_.group(result_.group_of_value[source.at()]).requires_grad;
      g.requires_grad |= in.requires_grad;
    }
  }

  const Graph& graph_;
  const Views views_;
  std::vector<int> uses_;
  GroupedGraph result_;
};

}  // namespace

GroupedGraph fuse_groups(const Graph& graph) { return Fuser(graph).run(); }

std::vector<GroupId> param_homes(const Graph& graph, const GroupedGraph& grouped) {
  std::vector<GroupId> homes(graph.params.size());
  for (std::size_t g = 0; g < grouped.groups.size(); ++g) {
    for (NodeId n : grouped.groups[g].nodes) {
      for (ParamId p : graph.node(n).params) {
        if (!homes[p.at()].valid()) homes[p.at()] = GroupId(static_cast<std::int64_t>(g));
      }
    }
  }
  return homes;
}

std::vector<std::vector<GroupId>> group_consumers(const GroupedGraph& grouped) {
  std::vector<std::vector<GroupId>> readers(grouped.groups.size());
  for (std::size_t g = 0; g < grouped.groups.size(); ++g) {
    const GroupId id(static_cast<std::int64_t>(g));
    for (const GroupInput& in : grouped.groups[g].inputs) {
      for (ValueId source : in.view.sources) {
        std::vector<GroupId>& list = readers[grouped.group_of_value[source.at()].at()];
        if (list.empty() || list.back() != id) list.push_back(id);
      }
    }
  }
  return readers;
}

Region group_needs(const Graph& graph, const Group& group, const Region& output, std::size_t k) {
  const GroupInput& in = group.inputs[k];
  Region r = output;
  for (std::size_t i = group.nodes.size() - 1; i > in.node; --i) {
    r = needs(graph, graph.node(group.nodes[i]), r, group.chain_operand[i]);
  }
  r = needs(graph, graph.node(group.nodes[in.node]), r, in.operand);
  if (in.view.channels != graph.shape(in.value).c) {
    // Flattened maps are read whole; their rows are the source's.
    r.c = {0, in.view.channels};
    r.h = {0, graph.shape(in.view.segments[0].source).h};
  }
  return r;
}

Cost group_cost(const Graph& graph, const Group& group, const Region& output) {
  Cost total;
  Region r = output;
  for (std::size_t i = group.nodes.size(); i-- > 0;) {
    const Node& node = graph.node(group.nodes[i]);
    total += cost(graph, node, r);
    if (i > 0) r = needs(graph, node, r, group.chain_operand[i]);
  }
  return total;
}

}  // namespace hpmp
