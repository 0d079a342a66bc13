// What every device draws a dropout's mask from, so that all draw the same.
#pragma once

#include "base/mix64.h"
#include "engine/kernel.h"

namespace hpmp {

/// Of one dropout in one step, whatever the sample.
inline std::uint64_t dropout_key(const StepInfo& step, NodeId node) {
  return mix64(mix64(mix64(step.seed) ^ step.step) ^ static_cast<std::uint64_t>(node.index));
}

}  // namespace hpmp
