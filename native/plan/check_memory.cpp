// Whether one rank's tensors fit their contents, their lifetimes and the arena.
#include <algorithm>
#include <map>

#include "hypergraph/stages.h"
#include "plan/chain.h"
#include "plan/checks.h"
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
    for (const OwnedChannels& task : program(r).tasks) {
      check_image(r, task, index);
      check_statistics(r, task, index);
    }
    for (std::size_t i = 0; i < program(r).instrs.size(); ++i) {
      check_touches(r, static_cast<std::int32_t>(i), index);
    }
    check_overlaps(r);
  }

 private:
  using Index = std::map<TensorKey, const PlannedTensor*>;

  void check_tensor(Rank r, const PlannedTensor& t) const {
    const std::int64_t arena = program(r).arena_bytes;
    if (t.offset < 0 || t.offset % 64 != 0 || t.offset > arena || t.bytes > arena - t.offset) {
      reject(r, "a tensor of " + std::to_string(t.bytes) + " bytes at offset " +
                    std::to_string(t.offset) + " lies outside the arena of " +
                    std::to_string(arena) + " bytes");
    }
    if (t.bytes < needed_bytes(r, t)) {
      reject(r, "a tensor of " + std::to_string(t.bytes) + " bytes holds " +
                    std::to_string(needed_bytes(r, t)));
    }
  }

  std::int64_t needed_bytes(Rank r, const PlannedTensor& t) const {
    const bool buffer = t.kind == TensorKind::send_buffer || t.kind == TensorKind::recv_buffer;
    if (buffer) {
      const bool known = t.message >= 0 && t.message < static_cast<int>(plan_.messages.size());
      if (!known) reject(r, "a buffer is for a message that does not exist");
      return 4 * plan_.messages[static_cast<std::size_t>(t.message)].elems;
    }
    if (!t.group.valid() || t.group.at() >= grouped_.groups.size()) {
      reject(r, "a tensor is of a group that does not exist");
    }
    const Group& g = grouped_.group(t.group);
    const std::int64_t samples = plan_.grid.shard_samples();
    const std::int64_t channels = total_size(t.channels);
    if (t.kind == TensorKind::statistics) return statistics_bytes(graph_, g, plan_.grid, channels);
    if (t.kind == TensorKind::stage_grad)
      return stage_grad_bytes(graph_, g, plan_.grid, own_channels(r, t));
    if (t.kind != TensorKind::saved) return samples * channels * g.shape.h * g.shape.w * 4;
    return chain_layout(graph_, g, samples, own_channels(r, t), plan_.grid.bn_group).bytes;
  }

  std::int64_t own_channels(Rank r, const PlannedTensor& t) const {
    std::int64_t channels = 0;
    for (const OwnedChannels& task : program(r).tasks) {
      if (task.group == t.group && task.shard == t.shard) channels = total_size(task.channels);
    }
    return channels;
  }

  void check_image(Rank r, const OwnedChannels& task, const Index& index) const {
    const auto image = index.find({TensorKind::image, task.group, task.shard, -1});
    if (image == index.end() || !subtract(task.channels, image->second->channels).empty()) {
      reject(r, "has no tensor for the output of '" +
                    graph_.node(grouped_.group(task.group).nodes[0]).name + "' shard " +
                    std::to_string(task.shard));
    }
  }

  void check_statistics(Rank r, const OwnedChannels& task, const Index& index) const {
    const std::string head = graph_.node(grouped_.group(task.group).nodes[0]).name;
    if (synced_norms(graph_, grouped_.group(task.group), plan_.grid).empty()) return;
    const std::int32_t first = plan_.grid.first_sharing(task.shard);
    const auto sums = index.find({TensorKind::statistics, task.group, first, -1});
    if (sums == index.end() || !subtract(task.channels, sums->second->channels).empty()) {
      reject(r, "has no tensor for the batch statistics of '" + head + "' shard " +
                    std::to_string(task.shard));
    }
    if (grouped_.group(task.group).requires_grad &&
        index.count({TensorKind::stage_grad, task.group, task.shard, -1}) == 0) {
      reject(r, "has no tensor for the gradient that the backward stages of '" + head + "' shard " +
                    std::to_string(task.shard) + " hand on");
    }
  }

  void check_touches(Rank r, std::int32_t at, const Index& index) const {
    const Instr& instr = program(r).instrs[static_cast<std::size_t>(at)];
    for (const TensorKey& key : touched(graph_, grouped_, plan_.grid, plan_.messages, instr)) {
      const auto found = index.find(key);
      if (found == index.end()) {
        // Sources that this rank needs no channel of have no image here.
        if (key.message >= 0) reject(r, name(instr) + " has no buffer");
        continue;
      }
      if (at < found->second->first || at > found->second->last) {
        reject(r, name(instr) + " touches a tensor outside its lifetime");
      }
    }
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
};

}  // namespace

void check_memory(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r) {
  MemoryCheck(graph, grouped, plan).check(r);
}

}  // namespace hpmp
