#include "plan/emit.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace hpmp {
namespace {

/// Order of instructions that fall on the same instant of one rank
/// (parts of statistics are added up before the sums are sent).
enum Slot : int { kAddUp, kSend, kPost, kRecv, kWait, kLoad, kTask };

struct Timed {
  double at;
  int slot;
  std::int32_t id;
  Instr instr;

  bool operator<(const Timed& o) const {
    return std::tie(at, slot, id) < std::tie(o.at, o.slot, o.id);
  }
};

class Emitter {
 public:
  Emitter(const Hypergraph& h, const Ownership& own, const TaskGraph& tasks,
          const Schedule& schedule)
      : h_(h),
        own_(own),
        tasks_(tasks),
        schedule_(schedule),
        lists_(static_cast<std::size_t>(own.ranks)) {}

  std::vector<RankProgram> run() {
    for (std::int32_t i = 0; i < tasks_.first_message; ++i) {
      if (tasks_.tasks[static_cast<std::size_t>(i)].kind != TaskKind::summed) emit_task(i);
    }
    for (const Message& m : own_.messages) emit_message(m);
    emit_loads();
    std::vector<RankProgram> programs(lists_.size());
    for (std::size_t r = 0; r < lists_.size(); ++r) {
      std::sort(lists_[r].begin(), lists_[r].end());
      for (const Timed& t : lists_[r]) programs[r].instrs.push_back(t.instr);
      programs[r].params = own_.params[r];
    }
    list_owned_channels(programs);
    return programs;
  }

 private:
  static InstrKind kind_of(TaskKind kind) {
    switch (kind) {
      case TaskKind::forward:
        return InstrKind::forward;
      case TaskKind::backward:
        return InstrKind::backward;
      default:
        return InstrKind::update;
    }
  }

  void put(Rank r, double at, Slot slot, Instr instr) {
    auto& list = lists_[static_cast<std::size_t>(r)];
    list.push_back({at, slot, static_cast<std::int32_t>(list.size()), instr});
  }

  void emit_task(std::int32_t i) {
    const Task& t = tasks_.tasks[static_cast<std::size_t>(i)];
    const auto at = static_cast<std::size_t>(i);
    put(t.rank, schedule_.start[at], kTask,
        {kind_of(t.kind), t.group, t.shard, -1, schedule_.start[at], schedule_.end[at], t.stage});
  }

  void emit_message(const Message& m) {
    const auto i = static_cast<std::size_t>(tasks_.first_message + m.tag);
    const double sent = schedule_.start[i], arrived = schedule_.end[i];
    double used = schedule_.makespan;
    for (std::int32_t k = tasks_.after_begin[i]; k < tasks_.after_begin[i + 1]; ++k) {
      const auto reader = static_cast<std::size_t>(tasks_.after[static_cast<std::size_t>(k)]);
      used = std::min(used, schedule_.start[reader]);
    }
    if (m.kind == MessageKind::param) used = arrived;
    const InstrKind take = is_partial(m.kind) ? InstrKind::reduce : InstrKind::recv;
    const Slot taken = is_partial(m.kind) && is_statistics(m.kind) ? kAddUp : kRecv;
    put(m.from, sent, kSend, {InstrKind::send, m.group, m.shard, m.tag, sent, sent});
    put(m.to, sent, kPost, {InstrKind::post, m.group, m.shard, m.tag, sent, sent});
    put(m.to, used, taken, {take, m.group, m.shard, m.tag, arrived, arrived});
    put(m.from, used, kWait, {InstrKind::wait, m.group, m.shard, m.tag, used, used});
  }

  /// The images of the network's input are loaded just before their first reader.
  void emit_loads() {
    std::map<std::tuple<Rank, GroupId, std::int32_t>, double> first;
    for (std::size_t g = 0; g < h_.grouped.groups.size(); ++g) {
      if (h_.blocks[g] != 0) continue;
      const GroupId input(static_cast<std::int64_t>(g));
      for (std::int32_t i = 0; i < tasks_.first_message; ++i) {
        const Task& t = tasks_.tasks[static_cast<std::size_t>(i)];
        const auto& readers = own_.consumers[g];
        if (t.kind != TaskKind::forward ||
            std::find(readers.begin(), readers.end(), t.group) == readers.end())
          continue;
        const double at = schedule_.start[static_cast<std::size_t>(i)];
        const auto [it, is_new] = first.try_emplace({t.rank, input, t.shard}, at);
        if (!is_new) it->second = std::min(it->second, at);
      }
    }
    for (const auto& [key, at] : first) {
      put(std::get<0>(key), at, kLoad,
          {InstrKind::load, std::get<1>(key), std::get<2>(key), -1, at, at});
    }
  }

  void list_owned_channels(std::vector<RankProgram>& programs) const {
    for (std::size_t g = 0; g < h_.grouped.groups.size(); ++g) {
      const GroupId group(static_cast<std::int64_t>(g));
      for (std::int32_t s = 0; s < own_.shards; ++s) {
        for (const auto& [r, held] : own_.at(group, s)) {
          const Ranges& channels = h_.blocks[g] == 0 ? held.image : held.own;
          add_holding(programs[static_cast<std::size_t>(r)], group, s, channels, held.image);
        }
      }
    }
  }

  static void add_holding(RankProgram& program, GroupId g, std::int32_t s, const Ranges& own,
                          const Ranges& image) {
    if (!own.empty()) program.tasks.push_back({g, s, own});
    if (image.empty()) return;
    PlannedTensor tensor;
    tensor.group = g;
    tensor.shard = s;
    tensor.channels = image;
    program.tensors.push_back(std::move(tensor));
  }

  const Hypergraph& h_;
  const Ownership& own_;
  const TaskGraph& tasks_;
  const Schedule& schedule_;
  std::vector<std::vector<Timed>> lists_;
};

}  // namespace

std::vector<RankProgram> emit_programs(const Hypergraph& h, const Ownership& own,
                                       const TaskGraph& tasks, const Schedule& schedule) {
  return Emitter(h, own, tasks, schedule).run();
}

}  // namespace hpmp
