#include "graph/links.h"

namespace hpmp {
namespace {

class Linker {
 public:
  Linker(const Graph& graph, const Group& group, bool training, bool whole_statistics)
      : graph_(graph), group_(group), training_(training), whole_statistics_(whole_statistics) {}

  Link from(std::size_t begin) const {
    if (is(begin, OpKind::conv) && !training_) return conv(begin);
    if (is(begin, OpKind::batch_norm) && whole_statistics_) return norm(begin);
    if (is_bound(begin) && is(begin + 1, OpKind::max_pool)) return {begin, begin + 2};
    const OpInfo& op = op_info(node(begin).op);
    return {begin,       begin + 1,           op.backward_reads_input, op.backward_reads_output,
            op.in_place, op.gradient_in_place};
  }

 private:
  const Node& node(std::size_t i) const { return graph_.node(group_.nodes[i]); }
  bool is(std::size_t i, OpKind op) const { return i < group_.nodes.size() && node(i).op == op; }
  bool is_bound(std::size_t i) const { return is(i, OpKind::relu) || is(i, OpKind::clip); }

  bool adds_two(std::size_t i) const { return is(i, OpKind::add) && node(i).inputs.size() == 2; }

  Link conv(std::size_t begin) const {
    std::size_t end = begin + 1;
    if (is(end, OpKind::batch_norm)) ++end;
    if (adds_two(end)) ++end;
    if (is_bound(end)) ++end;
    return {begin, end};
  }

  Link norm(std::size_t begin) const {
    std::size_t end = begin + 1;
    const bool adds = adds_two(end);
    if (adds) ++end;
    const bool bound = is_bound(end);
    if (bound) ++end;
    return {begin, end, true, adds && bound, false, true};
  }

  const Graph& graph_;
  const Group& group_;
  bool training_, whole_statistics_;
};

}  // namespace

std::vector<Link> chain_links(const Graph& graph, const Group& group, bool training,
                              bool whole_statistics) {
  const Linker linker(graph, group, training, whole_statistics);
  std::vector<Link> links;
  for (std::size_t i = 0; i < group.nodes.size(); i = links.back().end)
    links.push_back(linker.from(i));
  return links;
}

}  // namespace hpmp
