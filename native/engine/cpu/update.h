// An optimizer's step on the host.
#pragma once

#include "engine/optimizer.h"

namespace hpmp::cpu {

void update_range(const UpdateRule& rule, const UpdateRange& range);

}  // namespace hpmp::cpu
