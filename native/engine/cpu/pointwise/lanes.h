// The loops of the pointwise functions, as each instruction set's file includes them: a struct per
// function, of its value at x and its slope at what backward reads, input x or output y.
#ifndef HPMP_ISA
#error "define HPMP_ISA, the namespace"
#endif

#include "engine/cpu/pointwise/code.h"
#include "engine/cpu/pointwise/numeric.h"

namespace hpmp::cpu::HPMP_ISA {

using pointwise::Numbers;

struct Sigmoid {
  static float value(float x, Numbers) { return logistic(x); }
  static float slope(float y, Numbers) { return y * (1 - y); }
};
struct HardSigmoid {
  static float value(float x, Numbers n) { return at_most(at_least(n.alpha * x + n.beta, 0), 1); }
  static float slope(float y, Numbers n) { return pick((y > 0) & (y < 1), n.alpha, 0); }
};
struct HardSwish {
  static float value(float x, Numbers) { return x * at_most(at_least(x * (1.f / 6) + 0.5f, 0), 1); }
  static float slope(float x, Numbers) {
    return pick(x <= -3, 0, pick(x >= 3, 1, x * (1.f / 3) + 0.5f));
  }
};
struct Silu {
  static float value(float x, Numbers) { return x * logistic(x); }
  static float slope(float x, Numbers) {
    const float s = logistic(x);
    return s * (1 + x * (1 - s));
  }
};
struct LeakyRelu {
  static float value(float x, Numbers n) { return pick(x < 0, n.alpha * x, x); }
  static float slope(float y, Numbers n) { return pick(y > 0, 1, n.alpha); }
};
struct Elu {
  static float value(float x, Numbers n) { return pick(x < 0, n.alpha * (exponential(x) - 1), x); }
  static float slope(float y, Numbers n) { return pick(y > 0, 1, y + n.alpha); }
};
struct Selu {
  static float value(float x, Numbers n) { return n.beta * Elu::value(x, n); }
  static float slope(float y, Numbers n) { return pick(y > 0, n.beta, y + n.alpha * n.beta); }
};
struct Celu {
  static float value(float x, Numbers n) {
    return pick(x < 0, n.alpha * (exponential(x / n.alpha) - 1), x);
  }
  static float slope(float x, Numbers n) { return pick(x > 0, 1, exponential(x / n.alpha)); }
};
struct Tanh {
  static float value(float x, Numbers) { return hyperbolic_tangent(x); }
  static float slope(float y, Numbers) { return 1 - y * y; }
};
struct Softplus {
  static float value(float x, Numbers) { return soft_plus(x); }
  static float slope(float x, Numbers) { return logistic(x); }
};
struct Softsign {
  static float value(float x, Numbers) { return x / (1 + magnitude(x)); }
  static float slope(float y, Numbers) {
    const float rest = 1 - magnitude(y);
    return rest * rest;
  }
};
struct Gelu {
  static float value(float x, Numbers) { return 0.5f * x * (1 + error_function(x * 0.70710678f)); }
  static float slope(float x, Numbers) {
    const float below = 0.5f * (1 + error_function(x * 0.70710678f));
    return below + x * 0.39894228f * exponential(-0.5f * x * x);
  }
};
struct GeluTanh {
  static float inner(float x) {
    return hyperbolic_tangent(0.79788456f * (x + 0.044715f * x * x * x));
  }
  static float value(float x, Numbers) { return 0.5f * x * (1 + inner(x)); }
  static float slope(float x, Numbers) {
    const float t = inner(x);
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 0.134145f * x * x);
  }
};
struct Mish {
  /// tanh(log(1 + e)) = e * (e + 2) / (e * (e + 2) + 2), with e = exp(x); 1 well before it
  /// overflows.
  static float gate(float x) {
    const float e = exponential(at_most(x, 20)), square = e * (e + 2);
    return square / (square + 2);
  }
  static float value(float x, Numbers) { return x * gate(x); }
  static float slope(float x, Numbers) {
    const float t = gate(x);
    return t + x * (1 - t * t) * logistic(x);
  }
};
struct Erf {
  static float value(float x, Numbers) { return error_function(x); }
  static float slope(float x, Numbers) { return 1.12837917f * exponential(-x * x); }
};
struct Exp {
  static float value(float x, Numbers) { return exponential(x); }
  static float slope(float y, Numbers) { return y; }
};
struct Log {
  static float value(float x, Numbers) { return __builtin_logf(x); }
  static float slope(float x, Numbers) { return 1 / x; }
};
struct Sqrt {
  static float value(float x, Numbers) { return __builtin_sqrtf(x); }
  static float slope(float y, Numbers) { return 0.5f / y; }
};
struct Abs {
  static float value(float x, Numbers) { return magnitude(x); }
  static float slope(float x, Numbers) { return pick(x > 0, 1, pick(x < 0, -1, 0)); }
};
struct Neg {
  static float value(float x, Numbers) { return -x; }
  static float slope(float, Numbers) { return -1; }
};
struct Reciprocal {
  static float value(float x, Numbers) { return 1 / x; }
  static float slope(float y, Numbers) { return -y * y; }
};
struct Pow {
  static float value(float x, Numbers n) {
    return n.exponent == 2 ? x * x : __builtin_powf(x, n.exponent);
  }
  static float slope(float x, Numbers n) {
    return n.exponent == 2 ? 2 * x : n.exponent * __builtin_powf(x, n.exponent - 1);
  }
};

template <class F>
void forward(Numbers numbers, const float* x, float* y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t k = 0; k < count; ++k) y[k] = F::value(x[k], numbers);
}

template <class F>
void backward(Numbers numbers, const float* at, const float* dy, float* dx, std::int64_t count,
              bool accumulate) {
  if (accumulate) {
#pragma omp simd
    for (std::int64_t k = 0; k < count; ++k) dx[k] += dy[k] * F::slope(at[k], numbers);
  } else {
#pragma omp simd
    for (std::int64_t k = 0; k < count; ++k) dx[k] = dy[k] * F::slope(at[k], numbers);
  }
}

template <class... F>
constexpr pointwise::Code code_of() {
  return {{{forward<F>, backward<F>}...}};
}

constexpr pointwise::Code make_code() {
  return code_of<Sigmoid, HardSigmoid, HardSwish, Silu, LeakyRelu, Elu, Selu, Celu, Tanh, Softplus,
                 Softsign, Gelu, Mish, Erf, Exp, Log, Sqrt, Abs, Neg, Reciprocal, Pow, GeluTanh>();
}

}  // namespace hpmp::cpu::HPMP_ISA
