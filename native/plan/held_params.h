// The parameters that each rank keeps, in bytes, from the cells that it computes.
#pragma once

#include "plan/tasks.h"

namespace hpmp {

/// As a plan counts them: weight and gradient of the rows used, the optimizer's states of the rows
/// owned; two copies of statistics; the weight alone where nothing is learned.
class HeldParams {
 public:
  /// The model must outlive it.
  HeldParams(const StepModel& model, int ranks);

  /// Bytes by rank; valid until the next call.
  const std::vector<std::int64_t>& find(const std::vector<Rank>& part, const TaskBuilder& builder);

 private:
  struct Use {
    std::size_t block;  // of all groups, counted through
    Range rows;
  };
  /// A parameter that is not learned, and that no message carries.
  struct Fixed {
    std::int64_t row_bytes = 0;
    std::vector<Use> uses;
  };

  void add_fixed();
  void add_uses(GroupId g, std::vector<Fixed>& by_param) const;
  void add_learned(const TaskBuilder& builder);
  void find_blocks(const std::vector<Rank>& part);
  void add(const Fixed& param);

  const StepModel& model_;
  std::size_t ranks_;
  std::vector<std::size_t> first_block_;  // by group
  std::vector<Fixed> fixed_;
  std::vector<char> held_;    // by block and rank: in some shard
  std::vector<Ranges> rows_;  // by rank
  std::vector<std::int64_t> bytes_;
};

}  // namespace hpmp
