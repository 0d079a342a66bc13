// Optimizers by their definitions, in float64.
#pragma once

#include <array>
#include <cmath>

#include "engine/optimizer.h"

/// A weight with what an optimizer keeps of it.
struct Element {
  double weight;
  std::array<double, hpmp::kMostStates> state{};

  /// Step number `t`, from 1, with the gradient g.
  void step(const hpmp::Optimizer& o, int t, double g) {
    if (o.kind == hpmp::OptimizerKind::sgd) {
      state[0] = o.momentum * state[0] + (g + o.weight_decay * weight);
      weight -= o.lr * state[0];
      return;
    }
    // Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019), algorithm 2.
    state[0] = o.beta1 * state[0] + (1 - o.beta1) * g;
    state[1] = o.beta2 * state[1] + (1 - o.beta2) * g * g;
    const double mean = state[0] / (1 - std::pow(o.beta1, t));
    const double square = state[1] / (1 - std::pow(o.beta2, t));
    weight -= o.lr * (mean / (std::sqrt(square) + o.eps) + o.weight_decay * weight);
  }
};
