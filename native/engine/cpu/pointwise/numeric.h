// Elementary functions in arithmetic that vectorises: within some 4 ulp of float32, or 4e-7 where
// the result is near zero.
#ifndef HPMP_ISA
#error "include by pointwise/lanes.h"
#endif

#include <cstdint>

namespace hpmp::cpu::HPMP_ISA {

inline float pick(bool which, float yes, float no) { return which ? yes : no; }
inline float at_least(float x, float low) { return x < low ? low : x; }
inline float at_most(float x, float high) { return x > high ? high : x; }
inline float magnitude(float x) { return __builtin_fabsf(x); }

/// 2^n for n in [-126, 127].
inline float power_of_two(std::int32_t n) {
  const std::int32_t bits = (n + 127) << 23;
  float result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}

/// exp(x) = 2^n * exp(r) with r within half of log(2), in two parts (Cody and Waite 1980), and
/// exp(r) by its series; underflow goes to the smallest normal number.
inline float exponential(float x) {
  const float held = at_most(at_least(x, -87.3f), 89.f);
  const float n = __builtin_rintf(held * 1.44269504f);
  const float r = (held - n * 0.693359375f) + n * 2.12194440e-4f;
  float series = 1.f / 5040;
  series = series * r + 1.f / 720;
  series = series * r + 1.f / 120;
  series = series * r + 1.f / 24;
  series = series * r + 1.f / 6;
  series = series * r + 0.5f;
  series = series * r + 1.f;
  series = series * r + 1.f;
  const float power = pick(n == n, n, 0.f);  // NaN is no integer, and stays in the series
  const float result = 2 * series * power_of_two(static_cast<std::int32_t>(power) - 1);
  return pick(x > 88.7228f, __builtin_inff(), result);
}

inline float logistic(float x) { return 1 / (1 + exponential(-x)); }

/// Near zero by its series: the quotient would cancel.
inline float hyperbolic_tangent(float x) {
  const float s = x * x;
  const float series =
      x * (1 + s * (-1.f / 3 + s * (2.f / 15 + s * (-17.f / 315 + s * (62.f / 2835)))));
  const float quotient = 1 - 2 / (1 + exponential(2 * x));
  return pick(s < 0.0625f, series, quotient);
}

/// Abramowitz and Stegun 1964, 7.1.26: within 1.5e-7; near zero by its series.
inline float error_function(float x) {
  const float size = magnitude(x), s = x * x;
  const float t = 1 / (1 + 0.3275911f * size);
  float sum = 1.061405429f;
  sum = sum * t - 1.453152027f;
  sum = sum * t + 1.421413741f;
  sum = sum * t - 0.284496736f;
  sum = sum * t + 0.254829592f;
  const float tail = 1 - sum * t * exponential(-s);
  const float series = x * 1.12837917f * (1 + s * (-1.f / 3 + s * (0.1f - s * (1.f / 42))));
  return pick(s < 0.0625f, series, pick(x < 0, -tail, tail));
}

/// log(1 + x) = 2 artanh(x / (2 + x)) by its series, for x in [0, 1].
inline float log_of_one_plus(float x) {
  const float ratio = x / (2 + x), s = ratio * ratio;
  float series = 1.f / 13;
  series = series * s + 1.f / 11;
  series = series * s + 1.f / 9;
  series = series * s + 1.f / 7;
  series = series * s + 1.f / 5;
  series = series * s + 1.f / 3;
  return 2 * ratio * (series * s + 1);
}

/// log(1 + exp(x)) without overflow.
inline float soft_plus(float x) {
  return at_least(x, 0) + log_of_one_plus(exponential(-magnitude(x)));
}

}  // namespace hpmp::cpu::HPMP_ISA
