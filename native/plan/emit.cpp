#include "plan/emit.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "plan/instants.h"

namespace hpmp {
namespace {

struct Timed {
  Instant when;
  Instr instr;

  bool operator<(const Timed& o) const { return when < o.when; }
};

class Emitter {
 public:
  Emitter(const Hypergraph& h, const Ownership& own, const std::vector<Message>& messages,
          const TaskGraph& tasks, const Schedule& schedule)
      : h_(h),
        own_(own),
        messages_(messages),
        tasks_(tasks),
        schedule_(schedule),
        lists_(static_cast<std::size_t>(own.ranks)) {}

  std::vector<RankProgram> run() {
    redone_.assign(static_cast<std::size_t>(tasks_.first_message), 0);
    for (const Redo& redo : tasks_.redos) emit_redo(redo);
    for (std::int32_t i = 0; i < tasks_.first_message; ++i) {
      if (tasks_.tasks[static_cast<std::size_t>(i)].kind != TaskKind::summed) emit_task(i);
    }
    for (const Message& m : messages_) emit_message(m);
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

  void put(Rank r, const Instant& when, const Instr& instr) {
    lists_[static_cast<std::size_t>(r)].push_back({when, instr});
  }

  void emit_task(std::int32_t i) {
    const Task& t = tasks_.tasks[static_cast<std::size_t>(i)];
    const auto at = static_cast<std::size_t>(i);
    put(t.rank, {schedule_.start[at], Slot::task, i},
        {kind_of(t.kind), t.group, t.shard, -1, schedule_.start[at] + redone_[at],
         schedule_.end[at], t.stage});
  }

  /// One after the other, at the beginning of the task that they are part of.
  void emit_redo(const Redo& redo) {
    const Task& t = tasks_.tasks[static_cast<std::size_t>(redo.forward)];
    const auto before = static_cast<std::size_t>(redo.before);
    const double begin = schedule_.start[before] + redone_[before];
    redone_[before] += redo.seconds;
    put(t.rank, redo_instant(schedule_, redo),
        {InstrKind::redo, t.group, t.shard, -1, begin, begin + redo.seconds});
  }

  void emit_message(const Message& m) {
    const auto [sent, arrived, used] = message_times(tasks_, schedule_, m.tag);
    const InstrKind take = is_partial(m.kind) ? InstrKind::reduce : InstrKind::recv;
    const auto put_at = [&](Rank r, double at, Slot slot, InstrKind kind, double seconds) {
      put(r, {at, slot, m.tag}, {kind, m.lead().group, m.lead().shard, m.tag, seconds, seconds});
    };
    put_at(m.from, sent, Slot::send, InstrKind::send, sent);
    put_at(m.to, sent, Slot::post, InstrKind::post, sent);
    put_at(m.to, used, taking_slot(m.kind), take, arrived);
    put_at(m.from, used, Slot::wait, InstrKind::wait, used);
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
      const auto& [r, input, s] = key;
      put(r, load_instant(at, input, s, own_.shards), {InstrKind::load, input, s, -1, at, at});
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
  const std::vector<Message>& messages_;
  const TaskGraph& tasks_;
  const Schedule& schedule_;
  std::vector<std::vector<Timed>> lists_;
  std::vector<double> redone_;  // by task: seconds of what runs again at its start
};

}  // namespace

std::vector<RankProgram> emit_programs(const Hypergraph& h, const Ownership& own,
                                       const std::vector<Message>& messages, const TaskGraph& tasks,
                                       const Schedule& schedule) {
  return Emitter(h, own, messages, tasks, schedule).run();
}

}  // namespace hpmp
