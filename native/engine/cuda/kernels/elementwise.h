// Arguments of the kernels that walk tensors of one shape with one index; `items` in vectors.
#pragma once

namespace hpmp::cuda {

enum Function : int {
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kSilu,
  kLeakyRelu,
  kElu,
  kSelu,
  kCelu,
  kTanh,
  kSoftplus,
  kSoftsign,
  kGelu,
  kGeluTanh,
  kMish,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kAbs,
  kNeg,
  kReciprocal,
  kPow
};

/// y = f(x); the numbers are the op's attributes, each function reads its own.
struct PointwiseArgs {
  int items, function;
  float alpha, beta, exponent;
  const void* x;
  void* y;
};

/// dx (=|+=) dy f', with f' from the output or the input, whichever the op table says.
struct PointwiseGradArgs {
  int items, function;
  float alpha, beta, exponent;
  const void *at, *dy;
  void* dx;
  int accumulate;
};

/// y = x held between the bounds.
struct BoundsArgs {
  int items;
  float low, high;
  const void* x;
  void* y;
};

struct BoundsGradArgs {
  int items;
  float low, high;
  const void *y, *dy;
  void* dx;
  int accumulate;
};

constexpr int kMostOperands = 8;

/// y (=|+=) the sum of `count` operands, in order.
struct SumArgs {
  int items, count;
  const void* x[kMostOperands];
  void* y;
  int accumulate;
};

/// y (=|+=) a b.
struct ProductArgs {
  int items;
  const void *a, *b;
  void* y;
  int accumulate;
};

constexpr int kMostCompared = 64;

/// The greatest of `count` operands times `sign`; `own` is the operand whose gradient is asked for.
struct ExtremumArgs {
  int items, count, own;
  float sign;
  const void* x[kMostCompared];
  const void* dy;
  void* to;
  int accumulate;
};

}  // namespace hpmp::cuda
