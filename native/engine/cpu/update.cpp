#include "engine/cpu/update.h"

#include "engine/cpu/isa.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/update/code.h"

namespace hpmp::cpu {

void update_range(const UpdateRule& rule, const UpdateRange& range) {
  static const update::Code& code = has_avx512() ? update::avx512_code() : update::baseline_code();
  for_elems(range.count,
            [&](std::int64_t begin, std::int64_t end) { code.run(rule, range, begin, end); });
}

}  // namespace hpmp::cpu
