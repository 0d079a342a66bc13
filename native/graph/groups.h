// Groups: an op and the channel-local ops fused behind it; the unit that is cut into cells.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "graph/ops.h"
#include "graph/views.h"

namespace hpmp {

/// An operand that comes from outside the group.
struct GroupInput {
  std::size_t node = 0;     // position in Group::nodes
  std::size_t operand = 0;  // which input of that node
  ValueId value;
  View view;
  bool requires_grad = false;  // a gradient flows into what it reads
};

/// nodes[0] is the head; nodes[i>0] is local or aligned and reads nodes[i-1]'s output as operand
/// `chain_operand[i]`. Only the last node's output is seen outside. An input group has one
/// `input` node and no cells; a loss or softmax group has one channel block.
struct Group {
  std::vector<NodeId> nodes;
  std::vector<std::size_t> chain_operand;  // [0] unused
  std::vector<GroupInput> inputs;
  ValueId output;
  Shape shape;                        // of the output
  std::int64_t channel_multiple = 1;  // cells hold whole multiples of this many channels
  bool single_block = false;
  bool requires_grad = false;  // a gradient flows into the output
};

struct GroupedGraph {
  std::vector<Group> groups;            // topological order
  std::vector<GroupId> group_of_value;  // by ValueId, for computed outputs; invalid elsewhere
  const Group& group(GroupId g) const { return groups[g.at()]; }
};

GroupedGraph fuse_groups(const Graph& graph);

/// By parameter: the first group that uses it, which reduces and updates it.
std::vector<GroupId> param_homes(const Graph& graph, const GroupedGraph& grouped);

/// By group: the groups that read its output, ascending.
std::vector<std::vector<GroupId>> group_consumers(const GroupedGraph& grouped);

/// Region of input `k` of the group that a region of its output reads, through the chain; in the
/// channels of the view.
Region group_needs(const Graph& graph, const Group& group, const Region& output, std::size_t k);
Cost group_cost(const Graph& graph, const Group& group, const Region& output);

}  // namespace hpmp
