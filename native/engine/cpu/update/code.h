// An optimizer's step, one version per instruction set: it reads and writes every array once, which
// is what its time is made of.
#pragma once

#include "engine/optimizer.h"

namespace hpmp::cpu::update {

struct Code {
  /// A step on the elements [begin, end) of the range.
  void (*run)(const UpdateRule& rule, const UpdateRange& range, std::int64_t begin,
              std::int64_t end);
};

const Code& avx512_code();
const Code& baseline_code();

}  // namespace hpmp::cpu::update
