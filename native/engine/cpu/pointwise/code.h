// Pointwise functions of one number and their derivatives, one version per instruction set.
#pragma once

#include <cstdint>

namespace hpmp::cpu::pointwise {

/// The functions, in the order of the op table's kinds from sigmoid to pow; gelu_tanh is Gelu's
/// other form.
enum class Function : std::uint8_t {
  sigmoid,
  hard_sigmoid,
  hard_swish,
  silu,
  leaky_relu,
  elu,
  selu,
  celu,
  tanh,
  softplus,
  softsign,
  gelu,
  mish,
  erf,
  exp,
  log,
  sqrt,
  abs,
  neg,
  reciprocal,
  pow,
  gelu_tanh,
  count
};

/// Attributes of the function; each reads its own.
struct Numbers {
  float alpha, beta, exponent;
};

struct Loops {
  /// y[k] = f(x[k]); y may be x.
  void (*forward)(Numbers numbers, const float* x, float* y, std::int64_t count);
  /// dx[k] (=|+=) dy[k] * f'; `at` is the output or the input, whichever the op table says that
  /// backward reads; dx may be dy.
  void (*backward)(Numbers numbers, const float* at, const float* dy, float* dx, std::int64_t count,
                   bool accumulate);
};

struct Code {
  Loops loops[static_cast<int>(Function::count)];
};

const Code& avx512_code();
const Code& baseline_code();

}  // namespace hpmp::cpu::pointwise
