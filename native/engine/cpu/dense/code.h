// Dense layers of few samples, one version per instruction set: they read weights (and, where they
// are updated at once, read and write weights and the optimizer's states) once, which is what their
// time is made of.
#pragma once

#include <cstdint>

#include "engine/cuda/kernels/update_rule.h"

namespace hpmp::cpu::dense {

/// Floats that stand together in a panel: samples are packed as [columns /
/// kPanel][samples][kPanel], the last panel filled up with zeros.
constexpr std::int64_t kPanel = 32;

/// Panels [begin, end) of the weights [rows][columns], row-major.
struct Update {
  std::int64_t samples, rows, columns;
  std::int64_t begin, end;
  const float* x;   // panels
  const float* dy;  // [samples][rows]
  float* dx;        // panels, added to: the gradient by the weights before the update; or null
  float* weight;
  float* state[kMostStates];  // [rows][columns] each
  float* grad;                // likewise, set
  UpdateRule rule;
};

/// Rows [begin, end) of the weights [rows][columns], row-major.
struct Forward {
  std::int64_t samples, rows, columns;
  std::int64_t begin, end;
  const float* x;  // [samples][columns]
  const float* weight;
  const float* bias;  // [rows], or null
  float* y;           // [samples][rows]
};

struct Code {
  /// y = x weight^T + bias.
  void (*forward)(const Forward& forward);
  /// grad = dy^T x, and the rule's step with it.
  void (*update)(const Update& update);
};

const Code& avx512_code();
const Code& baseline_code();

}  // namespace hpmp::cpu::dense
