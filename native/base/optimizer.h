// The optimizers, and what each keeps beside a parameter that is trained.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hpmp {

enum class OptimizerKind : std::uint8_t { sgd, adamw };

constexpr int kOptimizerKinds = 2;

/// `state_names`: of its arrays, each of the parameter's shape, as PyTorch calls them; null behind
/// the last.
struct OptimizerInfo {
  const char* name;
  int states;
  const char* state_names[2];
};

constexpr OptimizerInfo optimizer_info(OptimizerKind kind) {
  constexpr OptimizerInfo kInfos[kOptimizerKinds] = {
      {"sgd", 1, {"momentum", nullptr}},
      {"adamw", 2, {"exp_avg", "exp_avg_sq"}},
  };
  return kInfos[static_cast<std::size_t>(kind)];
}

}  // namespace hpmp
