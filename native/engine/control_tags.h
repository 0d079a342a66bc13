// Tags of what ranks tell each other beside a plan's messages.
#pragma once

#include "plan/plan.h"

namespace hpmp {

enum class Control : std::uint8_t { loss, statistics, passages, labels };

inline Tag control_tag(const Plan& plan, Control about) {
  return static_cast<Tag>(plan.messages.size()) + static_cast<Tag>(about);
}

}  // namespace hpmp
