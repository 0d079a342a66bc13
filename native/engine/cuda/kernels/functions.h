// Functions of one number: the value at x, and the slope at what backward reads, x or y.
#pragma once

#include "engine/cuda/kernels/elementwise.h"
#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

struct Numbers {
  float alpha, beta, exponent;
};

HPMP_DEVICE float unit(float x) { return held(x, 0.f, 1.f); }
HPMP_DEVICE float logistic(float x) { return 1.f / (1.f + expf(-x)); }
HPMP_DEVICE float elu(float x, float alpha) { return x < 0.f ? alpha * expm1f(x) : x; }
HPMP_DEVICE float soft_plus(float x) { return (x < 0.f ? 0.f : x) + log1pf(expf(-fabsf(x))); }
HPMP_DEVICE float below(float x) { return 0.5f * (1.f + erff(x * 0.70710678f)); }
HPMP_DEVICE float gelu_inner(float x) { return tanhf(0.79788456f * (x + 0.044715f * x * x * x)); }

/// tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2) with e = exp(x); 1 well before that overflows.
HPMP_DEVICE float mish_gate(float x) {
  const float e = expf(x > 20.f ? 20.f : x), square = e * (e + 2.f);
  return square / (square + 2.f);
}

HPMP_DEVICE float value_of(int function, float x, const Numbers& n) {
  switch (function) {
    case kSigmoid:
      return logistic(x);
    case kHardSigmoid:
      return unit(n.alpha * x + n.beta);
    case kHardSwish:
      return x * unit(x * (1.f / 6) + 0.5f);
    case kSilu:
      return x * logistic(x);
    case kLeakyRelu:
      return x < 0.f ? n.alpha * x : x;
    case kElu:
      return elu(x, n.alpha);
    case kSelu:
      return n.beta * elu(x, n.alpha);
    case kCelu:
      return x < 0.f ? n.alpha * expm1f(x / n.alpha) : x;
    case kTanh:
      return tanhf(x);
    case kSoftplus:
      return soft_plus(x);
    case kSoftsign:
      return x / (1.f + fabsf(x));
    case kGelu:
      return x * below(x);
    case kGeluTanh:
      return 0.5f * x * (1.f + gelu_inner(x));
    case kMish:
      return x * mish_gate(x);
    case kErf:
      return erff(x);
    case kExp:
      return expf(x);
    case kLog:
      return logf(x);
    case kSqrt:
      return sqrtf(x);
    case kAbs:
      return fabsf(x);
    case kNeg:
      return -x;
    case kReciprocal:
      return 1.f / x;
    default:
      return n.exponent == 2.f ? x * x : powf(x, n.exponent);
  }
}

HPMP_DEVICE float gelu_tanh_slope(float x) {
  const float t = gelu_inner(x);
  return 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * 0.79788456f * (1.f + 0.134145f * x * x);
}
HPMP_DEVICE float mish_slope(float x) {
  const float t = mish_gate(x);
  return t + x * (1.f - t * t) * logistic(x);
}
HPMP_DEVICE float silu_slope(float x) {
  const float s = logistic(x);
  return s * (1.f + x * (1.f - s));
}
HPMP_DEVICE float hard_swish_slope(float x) {
  return x <= -3.f ? 0.f : x >= 3.f ? 1.f : x * (1.f / 3) + 0.5f;
}

/// `at` is the output of sigmoid, hard_sigmoid, leaky_relu, elu, selu, tanh, softsign, exp, sqrt
/// and reciprocal, the input of the others.
HPMP_DEVICE float slope_of(int function, float at, const Numbers& n) {
  switch (function) {
    case kSigmoid:
      return at * (1.f - at);
    case kHardSigmoid:
      return at > 0.f && at < 1.f ? n.alpha : 0.f;
    case kHardSwish:
      return hard_swish_slope(at);
    case kSilu:
      return silu_slope(at);
    case kLeakyRelu:
      return at > 0.f ? 1.f : n.alpha;
    case kElu:
      return at > 0.f ? 1.f : at + n.alpha;
    case kSelu:
      return at > 0.f ? n.beta : at + n.alpha * n.beta;
    case kCelu:
      return at > 0.f ? 1.f : expf(at / n.alpha);
    case kTanh:
      return 1.f - at * at;
    case kSoftplus:
      return logistic(at);
    case kSoftsign:
      return (1.f - fabsf(at)) * (1.f - fabsf(at));
    case kGelu:
      return below(at) + at * 0.39894228f * expf(-0.5f * at * at);
    case kGeluTanh:
      return gelu_tanh_slope(at);
    case kMish:
      return mish_slope(at);
    case kErf:
      return 1.12837917f * expf(-at * at);
    case kExp:
      return at;
    case kLog:
      return 1.f / at;
    case kSqrt:
      return 0.5f / at;
    case kAbs:
      return at > 0.f ? 1.f : at < 0.f ? -1.f : 0.f;
    case kNeg:
      return -1.f;
    case kReciprocal:
      return -at * at;
    default:
      return n.exponent == 2.f ? 2.f * at : n.exponent * powf(at, n.exponent - 1.f);
  }
}

}  // namespace hpmp::cuda
