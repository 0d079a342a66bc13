// Whether one rank's tensors fit their contents, their lifetimes and the arena.
#include <algorithm>
#include <map>

#include "plan/checks.h"
#include "plan/text.h"
#include "plan/touch.h"

namespace hpmp {
namespace {

class MemoryCheck : PlanCheck {
 public:
  using PlanCheck::PlanCheck;

  void check(Rank r) const {
    std::map<TensorKey, const PlannedTensor*> index;
    for (const PlannedTensor& t : program(r).tensors) {
      check_tensor(r, t);
      if (!index.emplace(key_of(t), &t).second) reject(r, "a tensor is listed twice");
    }
    for (const OwnedChannels& task : program(r).tasks) check_image(r, task, index);
    for (const PlannedTensor& need :
         touched_tensors(graph_, grouped_, plan_.grid, plan_.messages, program(r))) {
      check_need(r, need, index);
    }
    check_overlaps(r);
    check_param_bytes(r);
  }

 private:
  using Index = std::map<TensorKey, const PlannedTensor*>;

  void check_tensor(Rank r, const PlannedTensor& t) const {
    const std::int64_t arena = program(r).arena_bytes;
    if (t.bytes < 0 || t.offset < 0 || t.offset % 64 != 0 || t.offset > arena ||
        t.bytes > arena - t.offset) {
      reject(r, "a tensor of " + std::to_string(t.bytes) + " bytes at offset " +
                    std::to_string(t.offset) + " lies outside the arena of " +
                    std::to_string(arena) + " bytes");
    }
    const bool buffer = t.kind == TensorKind::send_buffer || t.kind == TensorKind::recv_buffer;
    if (buffer ? t.message < 0 : !t.group.valid() || t.group.at() >= grouped_.groups.size())
      reject(r, "a tensor is of a group or message that does not exist");
    if (!t.channels.empty() && (buffer || t.channels.back().end > grouped_.group(t.group).shape.c))
      reject(r, "a tensor has channels " + ranges_text(t.channels) + " that do not exist");
  }

  /// What the program touches must be there, of the right size, for as long as it is touched.
  void check_need(Rank r, const PlannedTensor& need, const Index& index) const {
    const Instr& at = program(r).instrs[static_cast<std::size_t>(need.first)];
    const auto found = index.find(key_of(need));
    if (found == index.end())
      reject(r, name(at) + " has no " + tensor_kind_name(need.kind) + " tensor");
    const PlannedTensor& held = *found->second;
    if (held.channels != need.channels)
      reject(r, name(at) + " needs channels " + ranges_text(need.channels) + " of its " +
                    tensor_kind_name(need.kind) + " tensor, which has " +
                    ranges_text(held.channels));
    if (held.bytes < need.bytes) {
      reject(r, "a tensor of " + std::to_string(held.bytes) + " bytes holds " +
                    std::to_string(need.bytes));
    }
    const bool again = !need.lives_again() || lives(held, need.again_first, need.again_last);
    if (!again || !lives(held, need.first, need.last))
      reject(r, name(at) + " or a later instruction touches a tensor outside its lifetime");
  }

  /// In one of its lives, and what it held before a second one is lost.
  static bool lives(const PlannedTensor& held, std::int32_t first, std::int32_t last) {
    const bool again = held.lives_again() && held.again_first <= first && last <= held.again_last;
    return again || (held.first <= first && last <= held.last);
  }

  void check_param_bytes(Rank r) const {
    const std::int64_t bytes = params_bytes(graph_, program(r), plan_.grid);
    if (program(r).param_bytes == bytes) return;
    reject(r, "its parameters take " + std::to_string(bytes) + " bytes, the plan says " +
                  std::to_string(program(r).param_bytes));
  }

  void check_image(Rank r, const OwnedChannels& task, const Index& index) const {
    const auto image = index.find({TensorKind::image, task.group, task.shard, -1});
    if (image == index.end() || !subtract(task.channels, image->second->channels).empty()) {
      reject(r, "has no tensor for the output of '" +
                    graph_.node(grouped_.group(task.group).nodes[0]).name + "' shard " +
                    std::to_string(task.shard));
    }
  }

  struct Life {
    std::int32_t first, last;
    const PlannedTensor* tensor;
  };

  /// Sweeps the instructions; live tensors must be disjoint.
  void check_overlaps(Rank r) const {
    std::vector<Life> by_start;
    for (const PlannedTensor& t : program(r).tensors) {
      by_start.push_back({t.first, t.last, &t});
      if (t.lives_again()) by_start.push_back({t.again_first, t.again_last, &t});
    }
    std::sort(by_start.begin(), by_start.end(),
              [](const Life& a, const Life& b) { return a.first < b.first; });
    std::map<std::int64_t, const PlannedTensor*> live;  // by offset
    std::multimap<std::int32_t, const PlannedTensor*> ends;
    for (const auto& [first, last, t] : by_start) {
      while (!ends.empty() && ends.begin()->first < first) {
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
      ends.emplace(last, t);
    }
  }
};

}  // namespace

void check_memory(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r) {
  MemoryCheck(graph, grouped, plan).check(r);
}

}  // namespace hpmp
