// What a step consists of on one grid before anything is placed: times of cells and flows of data.
#pragma once

#include <vector>

#include "partition/bundles.h"
#include "plan/machine.h"

namespace hpmp {

/// Channels that one block of a group makes and that one set of cells reads; alike in every shard.
struct OutputPiece {
  std::int32_t block = 0;
  std::int32_t readers = 0;  // index into StepGroup::readers
  std::int64_t elems = 0;    // of one shard
};

struct StepGroup {
  std::vector<PassSeconds> cells;            // by block; on a rank of speed 1
  PassSeconds fixed;                         // of a task, whatever its size
  bool backward = false;                     // has a backward pass
  std::vector<GroupId> consumers;            // ascending
  std::vector<GroupId> backward_readers;     // of them: those whose backward reads the output again
  bool redoable = false;                     // its forward may run twice
  std::vector<std::vector<CellId>> readers;  // distinct sets of cells of shard 0
  std::vector<OutputPiece> pieces;           // by block
  std::vector<PassSeconds> stages;  // share of each in a task's time; empty: one stage each way

  /// Batch_norms whose statistics shards share.
  std::int32_t norms() const {
    return stages.empty() ? 0 : static_cast<std::int32_t>(stages.size()) - 1;
  }
};

/// Rows of parameters that the same cells use, and whose gradients are summed at one owner.
struct StepParams {
  GroupId home;  // the first group that uses them
  std::vector<CellId> users;
  std::int64_t elems = 0;
};

/// The parts of a step that do not depend on the placement, derived once for many.
/// The hypergraph must outlive it.
struct StepModel {
  const Hypergraph& h;
  Machine machine;
  std::vector<StepGroup> groups;
  std::vector<StepParams> params;  // those in nets first, as param_bundles orders them
  std::vector<std::vector<GroupId>> param_users;  // by home: groups that use its parameters
};

StepModel make_step_model(const Hypergraph& h, const Machine& machine);

}  // namespace hpmp
