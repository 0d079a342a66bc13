// C functions of the optimizers.
#include "capi/handles.h"
#include "capi/wall.h"

namespace hpmp::capi {

OptimizerKind optimizer_kind_from_c(hpmp_optimizer_kind kind) {
  if (static_cast<int>(kind) < 0 || static_cast<int>(kind) >= kOptimizerKinds) {
    fail(ErrorCode::invalid_argument,
         "optimizer " + std::to_string(static_cast<int>(kind)) + " is none of hpmp_optimizer_kind");
  }
  return static_cast<OptimizerKind>(kind);
}

}  // namespace hpmp::capi

using namespace hpmp;

extern "C" {

const char* hpmp_optimizer_name(int32_t kind) {
  const bool known = kind >= 0 && kind < kOptimizerKinds;
  return known ? optimizer_info(static_cast<OptimizerKind>(kind)).name : nullptr;
}

const char* hpmp_optimizer_state_name(int32_t kind, int32_t state) {
  if (kind < 0 || kind >= kOptimizerKinds) return nullptr;
  const OptimizerInfo info = optimizer_info(static_cast<OptimizerKind>(kind));
  return state >= 0 && state < info.states ? info.state_names[state] : nullptr;
}
}
