// What an optimizer does to an element in one step, the same for all of them: worked out by the
// host. It stands among the kernels because a GPU's compiler is given their folder alone.
#pragma once

namespace hpmp {

/// Arrays that an optimizer keeps beside a parameter, at most.
constexpr int kMostStates = 2;

enum class UpdateKind : int { sgd, adamw };

/// m = momentum m + (g + decay w); w -= rate m.
struct SgdRule {
  static constexpr int kStates = 1;  // m
  float rate, momentum, decay;
};

/// w *= keep; m += fresh_mean (g - m); v = keep_square v + fresh_square g^2;
/// w -= rate m / (root sqrt(v) + eps).
struct AdamwRule {
  static constexpr int kStates = 2;  // m, v
  float keep, fresh_mean, keep_square, fresh_square, rate, root, eps;
};

struct UpdateRule {
  UpdateKind kind = UpdateKind::sgd;
  SgdRule sgd{};  // where it is of that kind; so the next
  AdamwRule adamw{};
};

}  // namespace hpmp
