// Whether both ends of every message hold what it carries, and every gradient finds its way back.
#include <map>
#include <tuple>

#include "plan/checks.h"
#include "plan/text.h"

namespace hpmp {
namespace {

class FlowCheck : PlanCheck {
 public:
  FlowCheck(const Graph& graph, const GroupedGraph& grouped, const Plan& plan)
      : PlanCheck(graph, grouped, plan) {
    for (Rank r = 0; r < plan.ranks; ++r) {
      for (const PlannedTensor& t : program(r).tensors) {
        if (t.kind == TensorKind::image) images_[{r, t.group, t.shard}] = t.channels;
      }
      for (const ParamRows& p : program(r).params) rows_[{r, p.param}] = &p;
    }
  }

  void run() {
    for (Rank r = 0; r < plan_.ranks; ++r) {
      for (const OwnedChannels& task : program(r).tasks) check_rows(r, task);
    }
    for (const Message& m : plan_.messages) {
      if (is_statistics(m.kind)) continue;
      for (const Letter& l : m.letters) {
        check_ends(m, l);
        note(m, l);
      }
    }
    for (const auto& [way, carried] : carried_) check_return(way, carried);
    for (Rank r = 0; r < plan_.ranks; ++r) {
      for (const ParamRows& p : program(r).params) check_foreign_rows(r, p);
    }
  }

 private:
  /// What is lent: channels of a group and shard, or rows of a parameter; by whom and to whom.
  using Way = std::tuple<GroupId, std::int32_t, ParamId, Rank, Rank>;
  struct Carried {
    Ranges out, back;
  };

  static bool lends(MessageKind kind) {
    return kind == MessageKind::activation || kind == MessageKind::param;
  }

  /// The rank has the parameter rows that its task reads.
  void check_rows(Rank r, const OwnedChannels& task) const {
    const Group& group = grouped_.group(task.group);
    for (NodeId n : group.nodes) {
      const Node& node = graph_.node(n);
      for (std::size_t j = 0; j < node.params.size(); ++j) {
        Ranges read;
        for (Range c : task.channels)
          read.push_back(params_rows(graph_, node, {{0, 1}, c, {0, group.shape.h}}, j));
        const Ranges missing = subtract(normalized(read), used(r, node.params[j]));
        if (missing.empty()) continue;
        reject(r, "computes '" + node.name + "' without rows " + ranges_text(missing) +
                      " of parameter '" + graph_.param(node.params[j]).name + "'");
      }
    }
  }

  Ranges used(Rank r, ParamId p) const {
    const auto found = rows_.find({r, p});
    return found == rows_.end() ? Ranges{} : found->second->used;
  }
  Ranges owned(Rank r, ParamId p) const {
    const auto found = rows_.find({r, p});
    return found == rows_.end() ? Ranges{} : found->second->owned;
  }

  void check_ends(const Message& m, const Letter& l) const {
    for (const Piece& piece : l.pieces) {
      const Rank lender = lends(m.kind) ? m.from : m.to, borrower = lends(m.kind) ? m.to : m.from;
      if (piece.param.valid()) {
        check_end(m.tag, l, lender, piece, owned(lender, piece.param));
        check_end(m.tag, l, borrower, piece, used(borrower, piece.param));
      } else {
        check_end(m.tag, l, lender, piece, channels(lender, l));
        check_end(m.tag, l, borrower, piece, channels(borrower, l));
      }
    }
  }

  Ranges channels(Rank r, const Letter& l) const {
    const auto found = images_.find({r, l.group, l.shard});
    return found == images_.end() ? Ranges{} : found->second;
  }

  void check_end(Tag tag, const Letter& l, Rank r, const Piece& piece, const Ranges& held) const {
    if (subtract({piece.range}, held).empty()) return;
    reject(r, "message " + std::to_string(tag) + " carries " + ranges_text({piece.range}) +
                  " of '" + of(l, piece.param) + "', of which it holds " + ranges_text(held));
  }

  std::string of(const Letter& l, ParamId p) const {
    return p.valid() ? graph_.param(p).name : graph_.node(grouped_.group(l.group).nodes[0]).name;
  }

  void note(const Message& m, const Letter& l) {
    const bool out = lends(m.kind);
    for (const Piece& piece : l.pieces) {
      Carried& carried =
          carried_[{l.group, l.shard, piece.param, out ? m.from : m.to, out ? m.to : m.from}];
      (out ? carried.out : carried.back).push_back(piece.range);
      if (m.kind == MessageKind::param) lent_[{m.to, piece.param}].push_back(piece.range);
    }
  }

  /// Each gradient returns once, for exactly what was lent; none where none flows.
  void check_return(const Way& way, const Carried& carried) const {
    const auto& [group, shard, param, lender, borrower] = way;
    const bool returns =
        plan_.grid.training && (param.valid() || grouped_.group(group).requires_grad);
    check_once(carried.out, lender);
    check_once(carried.back, borrower);
    const Ranges expected = returns ? normalized(carried.out) : Ranges{};
    if (normalized(carried.back) == expected) return;
    reject(borrower, "gradients of " + ranges_text(expected) + " of '" +
                         (param.valid() ? graph_.param(param).name
                                        : graph_.node(grouped_.group(group).nodes[0]).name) +
                         "' must return to rank " + std::to_string(lender) + "; messages carry " +
                         ranges_text(normalized(carried.back)));
  }

  static void check_once(const Ranges& pieces, Rank from) {
    std::int64_t sum = 0;
    for (Range range : pieces) sum += range.size();
    if (sum != total_size(normalized(pieces))) reject(from, "sends the same piece twice");
  }

  /// Trainable rows that a rank uses but does not own come from their owner after each update.
  void check_foreign_rows(Rank r, const ParamRows& p) {
    const Param& param = graph_.param(p.param);
    if (!plan_.grid.training || !param.trainable || param.is_state()) return;
    const Ranges missing = subtract(subtract(p.used, p.owned), normalized(lent_[{r, p.param}]));
    if (missing.empty()) return;
    reject(r, "rows " + ranges_text(missing) + " of parameter '" + param.name +
                  "' are used but neither owned nor received");
  }

  std::map<std::tuple<Rank, GroupId, std::int32_t>, Ranges> images_;
  std::map<std::pair<Rank, ParamId>, const ParamRows*> rows_;
  std::map<Way, Carried> carried_;
  std::map<std::pair<Rank, ParamId>, Ranges> lent_;  // rows of parameters, to the rank
};

}  // namespace

void check_flow(const Graph& graph, const GroupedGraph& grouped, const Plan& plan) {
  FlowCheck(graph, grouped, plan).run();
}

}  // namespace hpmp
