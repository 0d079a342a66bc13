// Whether a plan's parts exist, fit each other and cover the network.
#include <map>

#include "hypergraph/stages.h"
#include "plan/checks.h"

namespace hpmp {
namespace {

class StructureCheck : PlanCheck {
 public:
  using PlanCheck::PlanCheck;

  void run() const {
    check_indices();
    check_messages();
    check_completeness();
  }

 private:
  void check_indices() const {
    const auto groups = static_cast<std::int32_t>(grouped_.groups.size());
    const auto params = static_cast<std::int32_t>(graph_.params.size());
    const auto group_ok = [&](GroupId g) { return g.valid() && g.index < groups; };
    const auto shard_ok = [&](std::int32_t s) { return s >= -1 && s < plan_.grid.shards; };
    for (const Message& m : plan_.messages) {
      bool ok = m.from >= 0 && m.to >= 0 && m.from < plan_.ranks && m.to < plan_.ranks &&
                m.from != m.to && !m.letters.empty();
      for (const Letter& l : m.letters) ok = ok && group_ok(l.group) && shard_ok(l.shard);
      if (!ok) {
        fail(ErrorCode::invalid_plan, "message " + std::to_string(m.tag) +
                                          " names a group, shard or rank that does not exist");
      }
    }
    for (Rank r = 0; r < plan_.ranks; ++r) {
      for (const OwnedChannels& t : program(r).tasks) {
        if (!group_ok(t.group) || t.shard < 0 || !shard_ok(t.shard) || t.channels.empty() ||
            t.channels.back().end > grouped_.group(t.group).shape.c)
          reject(r, "a task names a group, shard or channel that does not exist");
      }
      for (const ParamRows& p : program(r).params) {
        if (!p.param.valid() || p.param.index >= params || p.used.empty() ||
            p.used.back().end > graph_.param(p.param).rows())
          reject(r, "a parameter or row does not exist");
        if (!subtract(p.owned, p.used).empty())
          reject(r,
                 "parameter '" + graph_.param(p.param).name + "' has owned rows that are not used");
      }
      for (const Instr& i : program(r).instrs) {
        const bool talks = i.kind == InstrKind::send || i.kind == InstrKind::post ||
                           i.kind == InstrKind::recv || i.kind == InstrKind::wait ||
                           i.kind == InstrKind::reduce;
        if (!group_ok(i.group) || !shard_ok(i.shard) ||
            (i.kind != InstrKind::update && !talks && i.shard < 0))
          reject(r, "an instruction names a group or shard that does not exist");
        if (talks != (i.message >= 0) ||
            i.message >= static_cast<std::int32_t>(plan_.messages.size()))
          reject(r, "an instruction names a message that does not exist");
        if (talks) check_talk(r, i);
        const bool runs = i.kind == InstrKind::forward || i.kind == InstrKind::backward;
        if (i.stage < 0 || i.stage > (runs ? norms(i.group) : 0))
          reject(r, "an instruction names a stage that does not exist");
      }
    }
  }

  void check_talk(Rank r, const Instr& i) const {
    const Message& m = message(i);
    const bool reduces = is_partial(m.kind);
    if (i.group != m.lead().group || i.shard != m.lead().shard)
      reject(r, name(i) + " names another group or shard than its message");
    if ((i.kind == InstrKind::recv && reduces) || (i.kind == InstrKind::reduce && !reduces))
      reject(r,
             name(i) + " does not fit its message: parts of a sum, and these alone, are reduced");
  }

  std::int32_t norms(GroupId g) const {
    return static_cast<std::int32_t>(synced_norms(graph_, grouped_.group(g), plan_.grid).size());
  }

  void check_stage(const Message& m, const Letter& l) const {
    const bool exists = is_statistics(m.kind)
                            ? l.stage >= 0 && l.stage < norms(l.group) && l.shard >= 0 &&
                                  l.shard == plan_.grid.first_sharing(l.shard)
                            : l.stage == 0;
    if (!exists) {
      fail(ErrorCode::invalid_plan, "message " + std::to_string(m.tag) +
                                        " names a stage or a first shard that does not exist");
    }
  }

  /// Elements per channel or row.
  std::int64_t row_elems(MessageKind kind, const Letter& l, const Piece& p) const {
    if (p.param.valid()) return graph_.param(p.param).row_elems();
    const Shape& shape = grouped_.group(l.group).shape;
    return is_statistics(kind) ? 2 : plan_.grid.shard_samples() * shape.h * shape.w;
  }

  void check_messages() const {
    for (const Message& m : plan_.messages) {
      if (is_statistics(m.kind) && m.letters.size() > 1) {
        fail(ErrorCode::invalid_plan,
             "message " + std::to_string(m.tag) + " carries statistics of more than one group");
      }
      for (const Letter& l : m.letters) {
        check_stage(m, l);
        for (const Piece& p : l.pieces) check_piece(m, l, p);
      }
    }
  }

  void check_piece(const Message& m, const Letter& l, const Piece& p) const {
    const bool params = carries_params(m.kind);
    if (params != p.param.valid() ||
        (params && p.param.index >= static_cast<std::int32_t>(graph_.params.size()))) {
      fail(ErrorCode::invalid_plan,
           "message " + std::to_string(m.tag) + " has a piece of the wrong kind");
    }
    const std::int64_t rows =
        params ? graph_.param(p.param).rows() : grouped_.group(l.group).shape.c;
    const std::int64_t each = row_elems(m.kind, l, p);
    if (p.range.end <= rows && p.elems == p.range.size() * each) return;
    fail(ErrorCode::invalid_plan, "message " + std::to_string(m.tag) + ": a piece of net " +
                                      std::to_string(p.net.index) + " has " +
                                      std::to_string(p.elems) + " elements; its range holds " +
                                      std::to_string(p.range.size() * each));
  }

  /// Every channel of every group and shard is computed by exactly one rank; every row has one
  /// owner.
  void check_completeness() const {
    for (std::size_t g = 0; g < grouped_.groups.size(); ++g) {
      if (graph_.node(grouped_.groups[g].nodes[0]).op == OpKind::input) continue;
      for (std::int32_t s = 0; s < plan_.grid.shards; ++s)
        check_group(GroupId(static_cast<std::int64_t>(g)), s);
    }
    std::map<ParamId, Ranges> owned;
    for (Rank r = 0; r < plan_.ranks; ++r) {
      for (const ParamRows& p : program(r).params) {
        Ranges& all = owned[p.param];
        if (!intersect(all, p.owned).empty())
          reject(r, "rows of parameter '" + graph_.param(p.param).name + "' have two owners");
        all.insert(all.end(), p.owned.begin(), p.owned.end());
        all = normalized(all);
      }
    }
    for (std::size_t p = 0; p < graph_.params.size(); ++p) {
      const Param& param = graph_.params[p];
      if (owned[ParamId(static_cast<std::int64_t>(p))] != Ranges{{0, param.rows()}}) {
        fail(ErrorCode::invalid_plan, "parameter '" + param.name + "' has rows that no rank owns");
      }
    }
  }

  void check_group(GroupId g, std::int32_t s) const {
    Ranges all;
    std::int64_t total = 0;
    for (Rank r = 0; r < plan_.ranks; ++r) {
      for (const OwnedChannels& t : program(r).tasks) {
        if (t.group != g || t.shard != s) continue;
        all.insert(all.end(), t.channels.begin(), t.channels.end());
        total += total_size(t.channels);
      }
    }
    const std::int64_t channels = grouped_.group(g).shape.c;
    if (total != channels || normalized(all) != Ranges{{0, channels}}) {
      fail(ErrorCode::invalid_plan, "group '" + graph_.node(grouped_.group(g).nodes[0]).name +
                                        "' shard " + std::to_string(s) +
                                        ": its channels are not each computed by exactly one rank");
    }
  }
};

}  // namespace

void check_structure(const Graph& graph, const GroupedGraph& grouped, const Plan& plan) {
  StructureCheck(graph, grouped, plan).run();
}

}  // namespace hpmp
