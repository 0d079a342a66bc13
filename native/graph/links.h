// Links: consecutive ops of a group's chain that one kernel computes, with nothing kept between
// them.
#pragma once

#include <cstddef>
#include <vector>

#include "graph/groups.h"

namespace hpmp {

/// Nodes [begin, end) of a chain; what the op table says of one op holds here for all of them.
struct Link {
  std::size_t begin = 0, end = 0;
  bool backward_reads_input = false;   // of the first node, what the chain gives it
  bool backward_reads_output = false;  // of the last node
  bool in_place = false;
  bool gradient_in_place = false;

  bool has(std::size_t node) const { return begin <= node && node < end; }
};

/// The links of the group, in order:
///
///   conv [batch_norm] [add of two] [relu or clip]   in inference only
///   batch_norm [add of two] [relu or clip]   backward computes the bounded value again, or, behind
///                                            an add, reads the output
///   relu or clip, max_pool                   the pool's winners know whether a bound held them
///   any other op                             alone
///
/// `whole_statistics`: no batch_norm waits for sums of other tasks; those that do stand alone.
std::vector<Link> chain_links(const Graph& graph, const Group& group, bool training,
                              bool whole_statistics);

}  // namespace hpmp
