// The verifier: refuses plans that could hang, read what was never written, or overlap in memory.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "plan/ownership.h"
#include "plan/touch.h"

namespace hpmp {
namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, const Plan& plan)
      : graph_(graph), plan_(plan), grouped_(fuse_groups(graph)) {}

  void run() {
    if (graph_hash(graph_) != plan_.graph_hash) {
      fail(ErrorCode::invalid_plan, "the plan was made for graph " + plan_.graph_hash +
                                        ", not for " + graph_hash(graph_) + "; plan again");
    }
    check_indices();
    check_messages();
    check_completeness();
    for (Rank r = 0; r < plan_.ranks; ++r) check_program(r);
    dry_run();
  }

 private:
  const RankProgram& program(Rank r) const { return plan_.programs[static_cast<std::size_t>(r)]; }
  const Message& message(const Instr& i) const {
    return plan_.messages[static_cast<std::size_t>(i.message)];
  }
  std::string name(const Instr& i) const {
    return "'" + instr_label(graph_, grouped_, plan_, i) + "'";
  }

  [[noreturn]] void reject(Rank r, const std::string& why) const {
    fail(ErrorCode::invalid_plan, "rank " + std::to_string(r) + ": " + why);
  }

  void check_indices() const {
    const auto groups = static_cast<std::int32_t>(grouped_.groups.size());
    const auto params = static_cast<std::int32_t>(graph_.params.size());
    const auto group_ok = [&](GroupId g) { return g.valid() && g.index < groups; };
    const auto shard_ok = [&](std::int32_t s) { return s >= -1 && s < plan_.grid.shards; };
    for (const Message& m : plan_.messages) {
      if (!group_ok(m.group) || !shard_ok(m.shard) || m.from < 0 || m.to < 0 ||
          m.from >= plan_.ranks || m.to >= plan_.ranks || m.from == m.to) {
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
      }
    }
  }

  void check_messages() const {
    for (const Message& m : plan_.messages) {
      const bool params = m.kind == MessageKind::param || m.kind == MessageKind::param_gradient;
      const Shape& shape = grouped_.group(m.group).shape;
      const std::int64_t samples = plan_.grid.batch / plan_.grid.shards;
      for (const Piece& p : m.pieces) {
        if (params != p.param.valid() ||
            (params && p.param.index >= static_cast<std::int32_t>(graph_.params.size()))) {
          fail(ErrorCode::invalid_plan,
               "message " + std::to_string(m.tag) + " has a piece of the wrong kind");
        }
        const std::int64_t rows = params ? graph_.param(p.param).rows() : shape.c;
        const std::int64_t each =
            params ? graph_.param(p.param).row_elems() : samples * shape.h * shape.w;
        if (p.range.end > rows || p.elems != p.range.size() * each) {
          fail(ErrorCode::invalid_plan,
               "message " + std::to_string(m.tag) + ": a piece of net " +
                   std::to_string(p.net.index) + " has " + std::to_string(p.elems) +
                   " elements; its range holds " + std::to_string(p.range.size() * each));
        }
      }
    }
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

  // -- one rank's program -------------------------------------------------------------------

  struct State {
    std::map<std::pair<GroupId, std::int32_t>, Ranges> own, written;
    std::set<std::pair<GroupId, std::int32_t>> forwarded, backwarded;
    std::set<std::int32_t> posted, received, sent, waited;
    std::set<GroupId> updated;
  };

  void check_program(Rank r) const {
    State state;
    for (const OwnedChannels& t : program(r).tasks) state.own[{t.group, t.shard}] = t.channels;
    for (const Instr& i : program(r).instrs) step(r, i, state);
    for (const Message& m : plan_.messages) {
      if (m.from == r && state.waited.count(m.tag) == 0)
        reject(r, "message " + std::to_string(m.tag) + " to rank " + std::to_string(m.to) +
                      " is never sent and waited for");
      if (m.to == r && state.received.count(m.tag) == 0)
        reject(r, "message " + std::to_string(m.tag) + " from rank " + std::to_string(m.from) +
                      " is never received");
    }
    check_all_ran(r, state);
    check_memory(r);
  }

  void step(Rank r, const Instr& i, State& state) const {
    switch (i.kind) {
      case InstrKind::load:
        state.written[{i.group, i.shard}] = state.own[{i.group, i.shard}];
        break;
      case InstrKind::forward:
        forward(r, i, state);
        break;
      case InstrKind::backward:
        backward(r, i, state);
        break;
      case InstrKind::update:
        state.updated.insert(i.group);
        break;
      case InstrKind::post:
        if (message(i).to != r || !state.posted.insert(i.message).second)
          reject(r, name(i) + " posts a message that is not for it, or twice");
        break;
      case InstrKind::recv:
      case InstrKind::reduce:
        receive(r, i, state);
        break;
      case InstrKind::send:
        send(r, i, state);
        break;
      case InstrKind::wait:
        if (state.sent.count(i.message) == 0 || !state.waited.insert(i.message).second)
          reject(r, name(i) + " waits for a message that was not sent, or twice");
        break;
    }
  }

  void need_channels(Rank r, const Instr& i, GroupId g, const Ranges& channels,
                     State& state) const {
    const Ranges missing = subtract(channels, state.written[{g, i.shard}]);
    if (missing.empty()) return;
    reject(r, name(i) + " reads channels [" + std::to_string(missing[0].begin) + ", " +
                  std::to_string(missing[0].end) + ") of '" +
                  graph_.node(grouped_.group(g).nodes[0]).name + "' shard " +
                  std::to_string(i.shard) + " before they are written");
  }

  void forward(Rank r, const Instr& i, State& state) const {
    const auto own = state.own.find({i.group, i.shard});
    if (own == state.own.end() || !state.forwarded.insert({i.group, i.shard}).second)
      reject(r, name(i) + " is no task of this rank, or runs twice");
    const Group& g = grouped_.group(i.group);
    for (std::size_t k = 0; k < g.inputs.size(); ++k) {
      for (Range need : needed_channels(graph_, g, own->second, k)) {
        for (const Segment& s : g.inputs[k].view.within(need)) {
          need_channels(r, i, grouped_.group_of_value[s.source.at()], {s.source_c}, state);
        }
      }
    }
    Ranges& written = state.written[{i.group, i.shard}];
    written.insert(written.end(), own->second.begin(), own->second.end());
    written = normalized(written);
  }

  void backward(Rank r, const Instr& i, State& state) const {
    if (state.forwarded.count({i.group, i.shard}) == 0)
      reject(r, name(i) + " runs before its forward");
    for (GroupId consumer : consumers(i.group)) {
      if (state.forwarded.count({consumer, i.shard}) != 0 &&
          grouped_.group(consumer).requires_grad &&
          state.backwarded.count({consumer, i.shard}) == 0) {
        reject(r, name(i) + " runs before the backward of its reader '" +
                      graph_.node(grouped_.group(consumer).nodes[0]).name + "'");
      }
    }
    for (const Message& m : plan_.messages) {
      if (m.kind == MessageKind::gradient && m.to == r && m.group == i.group &&
          m.shard == i.shard && state.received.count(m.tag) == 0) {
        reject(r, name(i) + " runs before the gradient from rank " + std::to_string(m.from) +
                      " has arrived");
      }
    }
    if (!state.backwarded.insert({i.group, i.shard}).second) reject(r, name(i) + " runs twice");
  }

  std::vector<GroupId> consumers(GroupId g) const {
    std::vector<GroupId> readers;
    for (std::size_t c = 0; c < grouped_.groups.size(); ++c) {
      bool reads = false;
      for (const GroupInput& in : grouped_.groups[c].inputs) {
        for (const Segment& s : in.view.segments)
          reads |= grouped_.group_of_value[s.source.at()] == g;
      }
      if (reads) readers.push_back(GroupId(static_cast<std::int64_t>(c)));
    }
    return readers;
  }

  void receive(Rank r, const Instr& i, State& state) const {
    if (state.posted.count(i.message) == 0 || !state.received.insert(i.message).second)
      reject(r, name(i) + " receives a message that was not posted, or twice");
    const Message& m = message(i);
    if (m.kind != MessageKind::activation) return;
    Ranges& written = state.written[{m.group, m.shard}];
    for (const Piece& p : m.pieces) written.push_back(p.range);
    written = normalized(written);
  }

  void send(Rank r, const Instr& i, State& state) const {
    const Message& m = message(i);
    if (m.from != r || !state.sent.insert(m.tag).second)
      reject(r, name(i) + " sends a message that is not its own, or twice");
    if (m.kind == MessageKind::activation) {
      Ranges pieces;
      for (const Piece& p : m.pieces) pieces.push_back(p.range);
      need_channels(r, i, m.group, normalized(pieces), state);
    } else if (m.kind == MessageKind::param) {
      if (state.updated.count(m.group) == 0)
        reject(r, name(i) + " sends parameters before their update");
    }
  }

  void check_all_ran(Rank r, const State& state) const {
    for (const auto& [key, channels] : state.own) {
      const Group& g = grouped_.group(key.first);
      if (graph_.node(g.nodes[0]).op == OpKind::input) continue;
      const std::string who =
          "'" + graph_.node(g.nodes[0]).name + "' shard " + std::to_string(key.second);
      if (state.forwarded.count(key) == 0) reject(r, who + " never runs forward");
      if (plan_.grid.training && g.requires_grad && state.backwarded.count(key) == 0)
        reject(r, who + " never runs backward");
    }
  }

  void check_memory(Rank r) const {
    const RankProgram& p = program(r);
    std::map<TensorKey, const PlannedTensor*> index;
    for (const PlannedTensor& t : p.tensors) {
      if (t.offset < 0 || t.bytes < 0 || t.offset % 64 != 0 || t.offset + t.bytes > p.arena_bytes)
        reject(r, "a tensor lies outside the arena of " + std::to_string(p.arena_bytes) + " bytes");
      index[key_of(t)] = &t;
    }
    for (std::size_t i = 0; i < p.instrs.size(); ++i) {
      for (const TensorKey& key : touched(graph_, grouped_, plan_.messages, p.instrs[i])) {
        const auto found = index.find(key);
        const auto at = static_cast<std::int32_t>(i);
        if (found != index.end() && (at < found->second->first || at > found->second->last))
          reject(r, name(p.instrs[i]) + " touches a tensor outside its lifetime");
      }
    }
    check_overlaps(r);
  }

  /// Sweeps the instructions; live tensors must be disjoint.
  void check_overlaps(Rank r) const {
    std::vector<const PlannedTensor*> by_start;
    for (const PlannedTensor& t : program(r).tensors) by_start.push_back(&t);
    std::sort(by_start.begin(), by_start.end(),
              [](auto* a, auto* b) { return a->first < b->first; });
    std::map<std::int64_t, const PlannedTensor*> live;  // by offset
    std::multimap<std::int32_t, const PlannedTensor*> ends;
    for (const PlannedTensor* t : by_start) {
      while (!ends.empty() && ends.begin()->first < t->first) {
        live.erase(ends.begin()->second->offset);
        ends.erase(ends.begin());
      }
      const auto after = live.lower_bound(t->offset);
      const bool hits_next = after != live.end() && after->first < t->offset + t->bytes;
      const bool hits_before =
          after != live.begin() &&
          std::prev(after)->second->offset + std::prev(after)->second->bytes > t->offset;
      if (hits_next || hits_before)
        reject(r, "two tensors that live at the same time overlap at arena offset " +
                      std::to_string(t->offset));
      live[t->offset] = t;
      ends.emplace(t->last, t);
    }
  }

  // -- all ranks together -------------------------------------------------------------------

  /// Sends are taken as synchronous: a WAIT passes once the receiver has posted, a RECV once the
  /// sender has sent. No progress with work left means a hang.
  void dry_run() const {
    std::vector<std::size_t> at(static_cast<std::size_t>(plan_.ranks), 0);
    std::vector<bool> posted(plan_.messages.size(), false), sent(plan_.messages.size(), false);
    for (bool moved = true; moved;) {
      moved = false;
      for (Rank r = 0; r < plan_.ranks; ++r) {
        std::size_t& pc = at[static_cast<std::size_t>(r)];
        for (; pc < program(r).instrs.size(); ++pc, moved = true) {
          const Instr& i = program(r).instrs[pc];
          const auto m = static_cast<std::size_t>(i.message);
          const bool receives = i.kind == InstrKind::recv || i.kind == InstrKind::reduce;
          if ((receives && !sent[m]) || (i.kind == InstrKind::wait && !posted[m])) break;
          if (i.kind == InstrKind::send) sent[m] = true;
          if (i.kind == InstrKind::post) posted[m] = true;
        }
      }
    }
    for (Rank r = 0; r < plan_.ranks; ++r) {
      const std::size_t pc = at[static_cast<std::size_t>(r)];
      if (pc < program(r).instrs.size())
        reject(r, "would wait for ever at instruction " + std::to_string(pc) + ", " +
                      name(program(r).instrs[pc]));
    }
  }

  const Graph& graph_;
  const Plan& plan_;
  GroupedGraph grouped_;
};

}  // namespace

void verify_plan(const Graph& graph, const Plan& plan) { Verifier(graph, plan).run(); }

}  // namespace hpmp
