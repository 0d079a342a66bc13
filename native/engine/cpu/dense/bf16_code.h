// Dense layers on bf16 samples: fp32 weights are read once, and rounded to bf16 in registers to be
// multiplied.
#pragma once

#include <cstdint>

#include "engine/bf16.h"
#include "engine/cuda/kernels/update_rule.h"

namespace hpmp::cpu::dense {

/// Columns that are multiplied together: the weights' columns are a multiple.
constexpr std::int64_t kBf16Columns = 32;

/// Rows [begin, end) of the weights [rows][columns], row-major.
struct Bf16Forward {
  std::int64_t samples, rows, columns;
  std::int64_t begin, end;
  const Bf16* x;  // [samples][columns]
  const float* weight;
  const float* bias;  // [rows], or null
  Bf16* y;            // [samples][rows]
};

/// Panels [begin, end), of kBf16Columns each, of the weights [rows][columns], row-major. Of an odd
/// number of samples the last is paired with zeros.
struct Bf16Update {
  std::int64_t samples, rows, columns;
  std::int64_t begin, end;
  const Bf16* x;         // [panel][pair of samples][kBf16Columns][2]
  const Bf16* dy;        // [samples][rows]
  const Bf16* dy_pairs;  // [rows][pair of samples][2]
  float* dx;             // [panel][samples][kBf16Columns], added to; or null
  float* weight;
  float* state[kMostStates];  // [rows][columns] each
  float* grad;                // likewise, set
  UpdateRule rule;
};

struct Bf16Code {
  /// y = x weight^T + bias.
  void (*forward)(const Bf16Forward& forward);
  /// As Code::update.
  void (*update)(const Bf16Update& update);
  /// to[c][s] = the rows s = 0, 1 of `count` columns; `second` may be null, for zeros.
  void (*pair)(const Bf16* first, const Bf16* second, Bf16* to, std::int64_t count);
};

const Bf16Code& avx512_bf16_code();

}  // namespace hpmp::cpu::dense
