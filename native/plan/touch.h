// Which tensors an instruction reads and writes; lifetimes and the verifier both follow from it.
#pragma once

#include <tuple>
#include <vector>

#include "plan/arena.h"
#include "plan/plan.h"

namespace hpmp {

struct TensorKey {
  TensorKind kind = TensorKind::image;
  GroupId group;  // all but buffers
  std::int32_t shard = -1;
  std::int32_t message = -1;  // buffers

  friend bool operator<(const TensorKey& a, const TensorKey& b) {
    return std::tie(a.kind, a.group, a.shard, a.message) <
           std::tie(b.kind, b.group, b.shard, b.message);
  }
};

TensorKey key_of(const PlannedTensor& tensor);
Lifetime lifetime_of(const PlannedTensor& tensor);

/// Whether `instr` computes a tensor again that was freed.
inline bool begins_again(const Instr& instr, const TensorKey& key) {
  return instr.kind == InstrKind::redo && key.group == instr.group &&
         (key.kind == TensorKind::image || key.kind == TensorKind::saved);
}

/// Tensors of the rank that `instr` touches.
std::vector<TensorKey> touched(const Graph& graph, const GroupedGraph& grouped,
                               const GridSpec& grid, const std::vector<Message>& messages,
                               const Instr& instr);

/// The tensors that a program touches, with bytes and lifetimes, without offsets. Images and their
/// gradients have the channels of the images in `program.tensors`.
std::vector<PlannedTensor> touched_tensors(const Graph& graph, const GroupedGraph& grouped,
                                           const GridSpec& grid,
                                           const std::vector<Message>& messages,
                                           const RankProgram& program);

/// Bytes of a rank's parameters with what an optimizer keeps beside them.
std::int64_t params_bytes(const Graph& graph, const RankProgram& program, const GridSpec& grid);

}  // namespace hpmp
