// An optimizer's step on ranges of elements, for one instruction set. Only update/isa_*.cpp include
// this.
#include "engine/cpu/update/code.h"
#include "engine/cpu/update/formula.h"

namespace hpmp::cpu::update::HPMP_ISA {

using namespace cpu::HPMP_ISA;

inline void run(const UpdateRule& rule, const UpdateRange& range, std::int64_t begin,
                std::int64_t end) {
  with_step(rule, [&](const auto& step) {
    std::int64_t i = begin;
    for (; i + HPMP_LANES <= end; i += HPMP_LANES)
      step.template run<HPMP_LANES>(load<HPMP_LANES>(range.grad + i), range.weight, range.state, i);
    for (; i < end; ++i) step.template run<1>(range.grad[i], range.weight, range.state, i);
  });
}

}  // namespace hpmp::cpu::update::HPMP_ISA
