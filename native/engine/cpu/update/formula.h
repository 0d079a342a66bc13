// An optimizer's step on a vector of elements, for one instruction set. Only isa_*.cpp include
// this; nothing here may use an inline function that other files use, too.
#pragma once

#include "engine/cpu/vectors.h"
#include "engine/cuda/kernels/update_rule.h"

namespace hpmp::cpu::HPMP_ISA {

template <int W>
HPMP_INLINE Float<W> root_of(const Float<W>& v) {
  if constexpr (W == 1) {
    return __builtin_sqrtf(v);
#ifdef __AVX512F__
  } else if constexpr (W == 16) {
    return (Float<W>)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);  // the plain one warns in gcc 12
#endif
#ifdef __AVX__
  } else if constexpr (W == 8) {
    return (Float<W>)_mm256_sqrt_ps((__m256)v);
#endif
  } else {
    Float<W> roots;
    for (int i = 0; i < W; ++i) roots[i] = __builtin_sqrtf(v[i]);
    return roots;
  }
}

/// Sets the W elements at `at` of a weight and its states, whose gradients are g. The rule is a
/// copy, so that what is stored cannot be part of it.
struct SgdStep {
  static constexpr int kStates = SgdRule::kStates;
  SgdRule rule;

  template <int W>
  HPMP_INLINE void run(const Float<W>& g, float* weight, float* const* state,
                       std::int64_t at) const {
    const Float<W> w = load<W>(weight + at);
    const Float<W> m = rule.momentum * load<W>(state[0] + at) + (g + rule.decay * w);
    store<W>(state[0] + at, m);
    store<W>(weight + at, w - rule.rate * m);
  }
};

struct AdamwStep {
  static constexpr int kStates = AdamwRule::kStates;
  AdamwRule rule;

  template <int W>
  HPMP_INLINE void run(const Float<W>& g, float* weight, float* const* state,
                       std::int64_t at) const {
    const Float<W> before = load<W>(state[0] + at);
    const Float<W> m = before + rule.fresh_mean * (g - before);
    const Float<W> v = rule.keep_square * load<W>(state[1] + at) + rule.fresh_square * (g * g);
    store<W>(state[0] + at, m);
    store<W>(state[1] + at, v);
    const Float<W> w = rule.keep * load<W>(weight + at);
    store<W>(weight + at, w - rule.rate * m / (rule.root * root_of<W>(v) + rule.eps));
  }
};

/// Calls f with the rule's step.
template <class F>
HPMP_INLINE void with_step(const UpdateRule& rule, const F& f) {
  switch (rule.kind) {
    case UpdateKind::sgd:
      return f(SgdStep{rule.sgd});
    case UpdateKind::adamw:
      return f(AdamwStep{rule.adamw});
  }
}

}  // namespace hpmp::cpu::HPMP_ISA
