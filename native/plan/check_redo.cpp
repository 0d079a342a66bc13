// Whether what a rank computes again is all its own, and where it is freed nothing reads it.
#include <map>
#include <set>

#include "hypergraph/stages.h"
#include "plan/checks.h"

namespace hpmp {
namespace {

class RedoCheck : PlanCheck {
 public:
  RedoCheck(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r)
      : PlanCheck(graph, grouped, plan), r_(r) {
    for (const OwnedChannels& t : program(r).tasks) own_[{t.group, t.shard}] = t.channels;
    for (const PlannedTensor& t : program(r).tensors) {
      if (t.kind == TensorKind::image) images_[{t.group, t.shard}] = t.channels;
    }
  }

  void run() {
    for (const Instr& i : program(r_).instrs) {
      const Key key{i.group, i.shard};
      if (i.kind == InstrKind::redo) redo(i);
      if (i.kind == InstrKind::forward) forward(i);
      if (i.kind == InstrKind::send && message(i).kind == MessageKind::activation) {
        for (const Letter& l : message(i).letters) read(i, {l.group, l.shard});
      }
      if (i.kind == InstrKind::forward) forwarded_.insert(key);
      if (i.kind == InstrKind::backward) backwarded_.insert(key);
    }
  }

 private:
  using Key = std::pair<GroupId, std::int32_t>;  // group, shard

  /// Only what the rank makes all by itself, in one stage; what it received is not sent again.
  void redo(const Instr& i) {
    const Key key{i.group, i.shard};
    const Group& group = grouped_.group(i.group);
    const OpKind op = graph_.node(group.nodes[0]).op;
    const auto own = own_.find(key);
    const bool whole = own != own_.end() && images_[key] == own->second;
    const bool once = op != OpKind::input && op != OpKind::loss && plan_.grid.training &&
                      synced_norms(graph_, group, plan_.grid).empty();
    if (!whole || !once) reject(r_, name(i) + " computes again what is not all this rank's");
    if (forwarded_.count(key) == 0 || backwarded_.count(key) != 0 || !redone_.insert(key).second)
      reject(r_, name(i) + " runs twice, or not between its forward and its backward");
  }

  void forward(const Instr& i) {
    for (const GroupInput& in : grouped_.group(i.group).inputs) {
      for (const Segment& s : in.view.segments)
        read(i, {grouped_.group_of_value[s.source.at()], i.shard});
    }
  }

  /// The forward part, run alone, computes nothing again.
  void read(const Instr& i, const Key& key) {
    if (redone_.count(key) == 0) return;
    reject(r_, name(i) + " reads '" + graph_.node(grouped_.group(key.first).nodes[0]).name +
                   "' after it was freed and computed again for the backward pass");
  }

  Rank r_;
  std::map<Key, Ranges> own_, images_;
  std::set<Key> forwarded_, backwarded_, redone_;
};

}  // namespace

void check_redo(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r) {
  RedoCheck(graph, grouped, plan, r).run();
}

}  // namespace hpmp
