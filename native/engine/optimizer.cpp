#include "engine/optimizer.h"

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/numbers.h"

namespace hpmp {
namespace {

static_assert(optimizer_info(OptimizerKind::sgd).states == SgdRule::kStates &&
                  optimizer_info(OptimizerKind::adamw).states == AdamwRule::kStates,
              "an optimizer keeps what its rule reads");

[[noreturn]] void refuse(const char* setting, double value, const char* rule) {
  fail(ErrorCode::invalid_argument,
       std::string("adamw: ") + setting + " is " + real_text(value) + ", not " + rule);
}

void check_beta(const char* name, double beta) {
  if (!(beta >= 0 && beta < 1)) refuse(name, beta, "from 0 to below 1");
}

SgdRule sgd_rule(const Optimizer& o) {
  return {static_cast<float>(o.lr), static_cast<float>(o.momentum),
          static_cast<float>(o.weight_decay)};
}

AdamwRule adamw_rule(const Optimizer& o, double step) {
  check_beta("beta1", o.beta1);
  check_beta("beta2", o.beta2);
  if (!(static_cast<float>(o.eps) > 0)) refuse("eps", o.eps, "a number above 0 in fp32");
  const double mean_sum = 1 - std::pow(o.beta1, step), square_sum = 1 - std::pow(o.beta2, step);
  return {static_cast<float>(1 - o.lr * o.weight_decay),
          static_cast<float>(1 - o.beta1),
          static_cast<float>(o.beta2),
          static_cast<float>(1 - o.beta2),
          static_cast<float>(o.lr / mean_sum),
          static_cast<float>(1 / std::sqrt(square_sum)),
          static_cast<float>(o.eps)};
}

}  // namespace

UpdateRule update_rule(const Optimizer& optimizer, std::uint64_t step) {
  UpdateRule rule;
  switch (optimizer.kind) {
    case OptimizerKind::sgd:
      rule.kind = UpdateKind::sgd;
      rule.sgd = sgd_rule(optimizer);
      break;
    case OptimizerKind::adamw:
      rule.kind = UpdateKind::adamw;
      rule.adamw = adamw_rule(optimizer, static_cast<double>(step));
      break;
  }
  return rule;
}

}  // namespace hpmp
