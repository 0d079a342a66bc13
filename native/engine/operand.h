// Finding, gathering and scattering the operands of a task in the rank's images.
#pragma once

#include "engine/task.h"

namespace hpmp {

/// Errors: `invalid_plan` if the rank's images lack a channel that `channels` of the group need.
std::vector<Operand> find_operands(const Graph& graph, const GroupedGraph& grouped, Arena& arena,
                                   const Backend& backend, GroupId g, std::int32_t shard,
                                   const Ranges& channels);

/// The operand as one tensor: the image itself, or its stretches gathered into scratch.
TensorRef read_operand(const Operand& operand, Arena& arena, Backend& backend, std::int32_t shard,
                       Scratch& scratch);

/// Adds the gradient of a gathered operand to the image gradients of its sources.
void scatter_grad(const Operand& operand, const TensorRef& grad, Arena& arena, Backend& backend,
                  std::int32_t shard);

/// Bytes of scratch that reading the operand (and once more its gradient) takes.
std::int64_t gather_bytes(const Operand& operand, std::int64_t samples);

}  // namespace hpmp
