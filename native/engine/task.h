// One fused group prepared for the channels that a rank computes: its kernels and how its operands
// are found in the rank's images.
#pragma once

#include <memory>
#include <vector>

#include "engine/buffers.h"
#include "engine/kernel.h"
#include "engine/param_store.h"
#include "hypergraph/stages.h"
#include "plan/chain.h"

namespace hpmp {

/// Where a stretch of an operand's channels lies: image position -> operand position.
struct Stretch {
  GroupId source;
  std::int64_t image_at = 0, operand_at = 0, count = 0;
};

/// An operand of the group on this rank, for one shard.
struct Operand {
  std::vector<Stretch> stretches;
  std::int64_t channels = 0;
  Shape shape;                // of the source; c is of no meaning
  bool whole = false;         // one image as it is: read and written in place
  bool wants_grad = false;    // some source takes a gradient
  std::int64_t block = 0;     // of the tensor that the kernel gets
  DType dtype = DType::fp32;  // likewise
};

/// What a backward instruction does to the image gradients that it adds to.
struct GradMode {
  std::vector<bool> accumulate;            // by group input; meaningful where it is whole
  std::vector<std::vector<GroupId>> zero;  // by group input: image gradients to clear first
};

/// A parameter of a node as the kernels take it: the rank's own rows, or a packed copy of those
/// of this task's channels.
struct TaskParam {
  HeldParam* held = nullptr;
  Ranges rows;  // that the task reads
  bool direct = true;
  FloatArray weight, grad;  // packed copies, where not direct
};

/// Kernels shared by all shards for which the rank computes the same channels of a group.
class TaskKernels {
 public:
  TaskKernels(const Graph& graph, const GroupedGraph& grouped, const GridSpec& grid, GroupId g,
              Ranges channels, const std::vector<Operand>& operands, ParamStore& store,
              Backend& backend);

  const Group& group() const { return *group_; }
  const Ranges& channels() const { return channels_; }
  const ChainLayout& layout() const { return layout_; }
  /// Positions of the batch_norms between its stages; see hypergraph/stages.h.
  const std::vector<std::size_t>& norms() const { return norms_; }
  const GridSpec& grid() const { return grid_; }
  /// Of link `l` of layout().links; so in params and param_grads.
  Kernel* kernel(std::size_t l) { return kernels_[l].get(); }

  /// After weights changed: refreshes packed copies and the kernels' own layouts.
  void load_params(bool training);
  void params_changed() { dirty_ = true; }
  std::vector<float*> params(std::size_t l, bool training);
  std::vector<float*> param_grads(std::size_t l);
  /// The head, a dense op, updates its weight in its backward pass: nothing else adds to the
  /// weight's gradient. That weight, or null where that is not so.
  void update_in_backward();
  const HeldParam* weight_to_update(std::size_t l) const;
  /// Adds what the kernels left in packed copies to the rank's own gradients or statistics.
  void begin_param_sums(bool states);
  void end_param_sums(bool states);

  std::int64_t kernel_scratch_bytes() const;
  std::int64_t resident_bytes() const;

 private:
  void find_params(const Link& link, ParamStore& store);
  Ranges rows_read(const Node& node, std::size_t j) const;
  void prepare_link(const Link& link, const std::vector<Operand>& operands);
  void add_operands(std::size_t i, bool from_chain, const std::vector<Operand>& operands,
                    KernelSpec& spec) const;
  void pack_weights();

  const Graph& graph_;
  Backend& backend_;
  const Group* group_;
  GridSpec grid_;
  Ranges channels_;
  ChainLayout layout_;
  std::vector<std::size_t> norms_;
  std::vector<std::unique_ptr<Kernel>> kernels_;  // by link; null for loss-less sinks (output)
  std::vector<std::vector<TaskParam>> params_;    // by link
  bool updates_weight_ = false;
  bool dirty_ = true, loaded_for_training_ = false;
};

}  // namespace hpmp
