// Whether one rank's program, run in order, makes sense by itself.
#include <map>
#include <set>

#include "hypergraph/stages.h"
#include "plan/checks.h"
#include "plan/ownership.h"

namespace hpmp {
namespace {

class ProgramCheck : PlanCheck {
 public:
  ProgramCheck(const Graph& graph, const GroupedGraph& grouped, const Plan& plan)
      : PlanCheck(graph, grouped, plan),
        readers_(group_consumers(grouped)),
        homes_(param_homes(graph, grouped)),
        users_(grouped.groups.size()) {
    for (const Group& group : grouped.groups)
      norms_.push_back(static_cast<std::int32_t>(synced_norms(graph, group, plan.grid).size()));
    for (std::size_t g = 0; g < grouped.groups.size(); ++g) {
      for (NodeId n : grouped.groups[g].nodes) {
        for (ParamId p : graph.node(n).params)
          users_[homes_[p.at()].at()].insert(GroupId(static_cast<std::int64_t>(g)));
      }
    }
  }

  void check(Rank r) const {
    State state;
    for (const OwnedChannels& t : program(r).tasks) state.own[{t.group, t.shard}] = t.channels;
    for (const Message& m : plan_.messages) {
      if (m.to != r) continue;
      for (const Letter& l : m.letters) {
        if (m.kind == MessageKind::gradient) state.gradients[{l.group, l.shard}].push_back(&m);
        if (m.kind == MessageKind::param_gradient) state.param_gradients[l.group].push_back(&m);
        if (is_statistics(m.kind)) state.statistics[{l.group, l.shard}].push_back(&m);
      }
    }
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
  }

 private:
  using Key = std::pair<GroupId, std::int32_t>;  // group, shard

  struct State {
    std::map<Key, Ranges> own, written;
    std::map<Key, std::int32_t> forwarded, backwarded;  // stages that ran
    std::set<std::int32_t> posted, received, sent, waited;
    std::set<GroupId> updated;
    std::map<GroupId, std::vector<const Message*>> param_gradients;    // to here
    std::map<Key, std::vector<const Message*>> gradients, statistics;  // to here
  };

  /// Whether all stages of a task ran.
  bool complete(const std::map<Key, std::int32_t>& ran, const Key& key) const {
    const auto found = ran.find(key);
    return found != ran.end() && found->second > norms_[key.first.at()];
  }

  void step(Rank r, const Instr& i, State& state) const {
    switch (i.kind) {
      case InstrKind::load:
        load(r, i, state);
        break;
      case InstrKind::forward:
        forward(r, i, state);
        break;
      case InstrKind::redo:  // see check_redo
        break;
      case InstrKind::backward:
        backward(r, i, state);
        break;
      case InstrKind::update:
        update(r, i, state);
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

  bool is_input(GroupId g) const {
    return graph_.node(grouped_.group(g).nodes[0]).op == OpKind::input;
  }

  void load(Rank r, const Instr& i, State& state) const {
    if (!is_input(i.group) || state.own.count({i.group, i.shard}) == 0)
      reject(r, name(i) + " loads what is no input of this rank");
    state.written[{i.group, i.shard}] = state.own[{i.group, i.shard}];
  }

  /// The optimizer needs every gradient: those computed here and those received.
  void update(Rank r, const Instr& i, State& state) const {
    if (!state.updated.insert(i.group).second) reject(r, name(i) + " runs twice");
    need_backwards(r, i, i.group, state);
    for (const Message* m : state.param_gradients[i.group]) {
      if (state.received.count(m->tag) == 0)
        reject(r, name(i) + " runs before the gradient from rank " + std::to_string(m->from) +
                      " has arrived");
    }
  }

  /// All that this rank adds to the gradients of a group's parameters is computed.
  void need_backwards(Rank r, const Instr& i, GroupId home, State& state) const {
    for (GroupId g : users_[home.at()]) {
      if (!grouped_.group(g).requires_grad) continue;
      for (auto own = state.own.lower_bound({g, -1});
           own != state.own.end() && own->first.first == g; ++own) {
        if (!complete(state.backwarded, own->first))
          reject(r, name(i) + " runs before the backward of shard " +
                        std::to_string(own->first.second));
      }
    }
  }

  void need_channels(Rank r, const Instr& i, GroupId g, std::int32_t shard, const Ranges& channels,
                     State& state) const {
    const Ranges missing = subtract(channels, state.written[{g, shard}]);
    if (missing.empty()) return;
    reject(r, name(i) + " reads channels [" + std::to_string(missing[0].begin) + ", " +
                  std::to_string(missing[0].end) + ") of '" +
                  graph_.node(grouped_.group(g).nodes[0]).name + "' shard " +
                  std::to_string(shard) + " before they are written");
  }

  void forward(Rank r, const Instr& i, State& state) const {
    const auto own = state.own.find({i.group, i.shard});
    if (own == state.own.end() || is_input(i.group) ||
        state.forwarded[{i.group, i.shard}]++ != i.stage)
      reject(r, name(i) + " is no task of this rank, or runs twice or out of order");
    if (i.stage > 0) need_statistics(r, i, state, i.stage - 1, false, false);
    const Group& g = grouped_.group(i.group);
    for (std::size_t k = 0; k < g.inputs.size(); ++k) {
      for (const SourceChannels& read : read_channels(graph_, g, own->second, k)) {
        const GroupId from = grouped_.group_of_value[read.source.at()];
        need_channels(r, i, from, i.shard, read.channels, state);
      }
    }
    if (!complete(state.forwarded, {i.group, i.shard})) return;
    Ranges& written = state.written[{i.group, i.shard}];
    written.insert(written.end(), own->second.begin(), own->second.end());
    written = normalized(written);
  }

  void backward(Rank r, const Instr& i, State& state) const {
    if (!complete(state.forwarded, {i.group, i.shard}))
      reject(r, name(i) + " runs before its forward");
    if (i.stage > 0) need_statistics(r, i, state, i.stage - 1, true, false);
    need_readers_backward(r, i, i.group, i.shard, state);
    for (const Message* m : state.gradients[{i.group, i.shard}]) {
      if (state.received.count(m->tag) == 0) {
        reject(r, name(i) + " runs before the gradient from rank " + std::to_string(m->from) +
                      " has arrived");
      }
    }
    if (state.backwarded[{i.group, i.shard}]++ != i.stage)
      reject(r, name(i) + " runs twice or out of order");
  }

  /// All that this rank adds to the gradient of a group's output is computed.
  void need_readers_backward(Rank r, const Instr& i, GroupId g, std::int32_t shard,
                             const State& state) const {
    for (GroupId consumer : readers_[g.at()]) {
      const Key key{consumer, shard};
      if (state.own.count(key) == 0 || !grouped_.group(consumer).requires_grad ||
          complete(state.backwarded, key))
        continue;
      reject(r, name(i) + " runs before the backward of its reader '" +
                    graph_.node(grouped_.group(consumer).nodes[0]).name + "'");
    }
  }

  /// The parts of statistics that this rank makes after a stage.
  void need_own_parts(Rank r, const Instr& i, const State& state, std::int32_t stage,
                      bool backward) const {
    const std::map<Key, std::int32_t>& ran = backward ? state.backwarded : state.forwarded;
    const std::int32_t first = plan_.grid.first_sharing(i.shard);
    for (std::int32_t s = first; s < first + plan_.grid.statistics_shards(); ++s) {
      const auto found = ran.find({i.group, s});
      if (state.own.count({i.group, s}) == 0 || (found != ran.end() && found->second > stage))
        continue;
      reject(r, name(i) + " runs before stage " + std::to_string(stage) + " of shard " +
                    std::to_string(s) + ", which shares its statistics");
    }
  }

  /// And what other ranks send of them: all of it or, to make the sums, their parts alone.
  void need_statistics(Rank r, const Instr& i, State& state, std::int32_t stage, bool backward,
                       bool parts_alone) const {
    need_own_parts(r, i, state, stage, backward);
    for (const Message* m : state.statistics[{i.group, plan_.grid.first_sharing(i.shard)}]) {
      if (m->lead().stage != stage || is_backward(m->kind) != backward) continue;
      if ((parts_alone && !is_partial(m->kind)) || state.received.count(m->tag) != 0) continue;
      reject(r, name(i) + " runs before the statistics from rank " + std::to_string(m->from) +
                    " have arrived");
    }
  }

  void receive(Rank r, const Instr& i, State& state) const {
    if (state.posted.count(i.message) == 0 || !state.received.insert(i.message).second)
      reject(r, name(i) + " receives a message that was not posted, or twice");
    const Message& m = message(i);
    if (is_statistics(m.kind)) need_own_parts(r, i, state, m.lead().stage, is_backward(m.kind));
    if (m.kind != MessageKind::activation) return;
    for (const Letter& l : m.letters) {
      Ranges& written = state.written[{l.group, l.shard}];
      for (const Piece& p : l.pieces) written.push_back(p.range);
      written = normalized(written);
    }
  }

  void send(Rank r, const Instr& i, State& state) const {
    const Message& m = message(i);
    if (m.from != r || !state.sent.insert(m.tag).second)
      reject(r, name(i) + " sends a message that is not its own, or twice");
    for (const Letter& l : m.letters) send(r, i, m.kind, l, state);
  }

  /// What a letter carries is there.
  void send(Rank r, const Instr& i, MessageKind kind, const Letter& l, State& state) const {
    if (kind == MessageKind::activation) {
      Ranges pieces;
      for (const Piece& p : l.pieces) pieces.push_back(p.range);
      need_channels(r, i, l.group, l.shard, normalized(pieces), state);
    } else if (kind == MessageKind::gradient) {
      need_readers_backward(r, i, l.group, l.shard, state);
    } else if (kind == MessageKind::param) {
      if (state.updated.count(l.group) == 0)
        reject(r, name(i) + " sends parameters before their update");
    } else if (kind == MessageKind::param_gradient) {
      need_backwards(r, i, l.group, state);
    } else if (is_partial(kind)) {
      need_own_parts(r, i, state, l.stage, is_backward(kind));
    } else {
      need_statistics(r, i, state, l.stage, is_backward(kind), true);
    }
  }

  void check_all_ran(Rank r, const State& state) const {
    for (const auto& [key, channels] : state.own) {
      const Group& g = grouped_.group(key.first);
      if (graph_.node(g.nodes[0]).op == OpKind::input) continue;
      const std::string who =
          "'" + graph_.node(g.nodes[0]).name + "' shard " + std::to_string(key.second);
      if (!complete(state.forwarded, key)) reject(r, who + " never runs forward");
      if (plan_.grid.training && g.requires_grad && !complete(state.backwarded, key))
        reject(r, who + " never runs backward");
    }
    for (const ParamRows& p : program(r).params) {
      const Param& param = graph_.param(p.param);
      const bool learns = plan_.grid.training && param.trainable && !param.is_state();
      if (learns && !p.owned.empty() && state.updated.count(homes_[p.param.at()]) == 0)
        reject(r, "parameter '" + param.name + "' is never updated");
    }
  }

  std::vector<std::vector<GroupId>> readers_;  // by group
  std::vector<GroupId> homes_;                 // by parameter: whose UPDATE changes it
  std::vector<std::set<GroupId>> users_;       // by home: the groups that use its parameters
  std::vector<std::int32_t> norms_;            // by group; see hypergraph/stages.h
};

}  // namespace

void check_program(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r) {
  ProgramCheck(graph, grouped, plan).check(r);
}

}  // namespace hpmp
