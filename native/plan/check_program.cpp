// Whether one rank's program, run in order, makes sense by itself.
#include <map>
#include <set>

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
      if (m.kind == MessageKind::gradient) state.gradients[{m.group, m.shard}].push_back(&m);
      if (m.kind == MessageKind::param_gradient) state.param_gradients[m.group].push_back(&m);
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
  struct State {
    std::map<std::pair<GroupId, std::int32_t>, Ranges> own, written;
    std::set<std::pair<GroupId, std::int32_t>> forwarded, backwarded;
    std::set<std::int32_t> posted, received, sent, waited;
    std::set<GroupId> updated;
    std::map<GroupId, std::vector<const Message*>> param_gradients;                     // to here
    std::map<std::pair<GroupId, std::int32_t>, std::vector<const Message*>> gradients;  // to here
  };

  void step(Rank r, const Instr& i, State& state) const {
    switch (i.kind) {
      case InstrKind::load:
        load(r, i, state);
        break;
      case InstrKind::forward:
        forward(r, i, state);
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
    need_backwards(r, i, state);
    for (const Message* m : state.param_gradients[i.group]) {
      if (state.received.count(m->tag) == 0)
        reject(r, name(i) + " runs before the gradient from rank " + std::to_string(m->from) +
                      " has arrived");
    }
  }

  /// All that this rank adds to the gradients of a group's parameters is computed.
  void need_backwards(Rank r, const Instr& i, State& state) const {
    for (GroupId g : users_[i.group.at()]) {
      if (!grouped_.group(g).requires_grad) continue;
      for (auto own = state.own.lower_bound({g, -1});
           own != state.own.end() && own->first.first == g; ++own) {
        if (state.backwarded.count(own->first) == 0)
          reject(r, name(i) + " runs before the backward of shard " +
                        std::to_string(own->first.second));
      }
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
    if (own == state.own.end() || is_input(i.group) ||
        !state.forwarded.insert({i.group, i.shard}).second)
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
    for (GroupId consumer : readers_[i.group.at()]) {
      if (state.forwarded.count({consumer, i.shard}) != 0 &&
          grouped_.group(consumer).requires_grad &&
          state.backwarded.count({consumer, i.shard}) == 0) {
        reject(r, name(i) + " runs before the backward of its reader '" +
                      graph_.node(grouped_.group(consumer).nodes[0]).name + "'");
      }
    }
    for (const Message* m : state.gradients[{i.group, i.shard}]) {
      if (state.received.count(m->tag) == 0) {
        reject(r, name(i) + " runs before the gradient from rank " + std::to_string(m->from) +
                      " has arrived");
      }
    }
    if (!state.backwarded.insert({i.group, i.shard}).second) reject(r, name(i) + " runs twice");
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
    } else if (m.kind == MessageKind::param_gradient) {
      need_backwards(r, i, state);
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
};

}  // namespace

void check_program(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r) {
  ProgramCheck(graph, grouped, plan).check(r);
}

}  // namespace hpmp
