// A rank's program bound to memory and kernels: all look-ups that can be done before the first
// step.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "engine/run_task.h"

namespace hpmp {

/// An instruction with what it needs at run time.
struct Step {
  const Instr* instr = nullptr;
  std::string label;
  BoundTask* task = nullptr;  // forward, backward
  /// Groups and shards to whose image gradients nothing was added yet: cleared first.
  std::vector<std::pair<GroupId, std::int32_t>> clear_first;
  bool clear_sums = false;  // nor to the statistics that follow the stage
  std::unique_ptr<Routine> update;
};

class BoundProgram {
 public:
  /// All arguments must outlive this.
  BoundProgram(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
               const RankProgram& program, Arena& arena, ParamStore& store, Backend& backend);

  std::vector<Step>& steps() { return steps_; }
  void params_changed();
  /// Of all kernels whose parameters changed, or were loaded for the other use.
  void load_params(bool training);
  std::int64_t scratch_bytes() const;
  std::int64_t kernel_bytes() const;

 private:
  using Key = std::pair<GroupId, std::int32_t>;  // group, shard

  void bind_tasks();
  void bind_steps();
  void find_grad_modes();
  void clear_if_first(Step& step, GroupId g, std::int32_t shard);
  void set_grad_mode(BoundTask& task, std::size_t k);
  void find_first_sums();
  void order_dense_columns();
  void find_own_updates();
  void bind_updates();
  bool updates_alone(const BoundTask& task) const;
  /// Whether something was added to the image gradient before; from now on, yes.
  bool was_written(GroupId g, std::int32_t shard);

  const Graph& graph_;
  const GroupedGraph& grouped_;
  const Plan& plan_;
  const RankProgram& program_;
  Arena& arena_;
  ParamStore& store_;
  Backend& backend_;
  std::map<Key, BoundTask> tasks_;
  /// By group, channels and the operands' blocks.
  using KernelKey = std::tuple<GroupId, Ranges, std::vector<std::int64_t>>;
  std::map<KernelKey, std::unique_ptr<TaskKernels>> kernels_;
  std::map<Key, bool> written_;
  std::vector<Step> steps_;
};

}  // namespace hpmp
