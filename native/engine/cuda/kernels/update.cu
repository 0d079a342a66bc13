// The optimizer.
#include "engine/cuda/kernels/update.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

/// An element's step by its gradient.
HPMP_DEVICE void step(const SgdRule& r, float g, float& w, float (&state)[1]) {
  state[0] = r.momentum * state[0] + (g + r.decay * w);
  w -= r.rate * state[0];
}

HPMP_DEVICE void step(const AdamwRule& r, float g, float& w, float (&state)[2]) {
  state[0] += r.fresh_mean * (g - state[0]);
  state[1] = r.keep_square * state[1] + r.fresh_square * (g * g);
  w = r.keep * w - r.rate * state[0] / (r.root * sqrtf(state[1]) + r.eps);
}

template <int V, class Rule>
HPMP_DEVICE void update_at(const Rule& rule, const UpdatePiece& p, long long at) {
  constexpr int kStates = Rule::kStates;
  const Floats<V> g = load<float, V>(p.grad, at);
  Floats<V> w = load<float, V>(p.weight, at), state[kStates];
  for (int k = 0; k < kStates; ++k) state[k] = load<float, V>(p.state[k], at);
  for (int j = 0; j < V; ++j) {
    float of_element[kStates];
    for (int k = 0; k < kStates; ++k) of_element[k] = state[k][j];
    step(rule, g[j], w[j], of_element);
    for (int k = 0; k < kStates; ++k) state[k][j] = of_element[k];
  }
  store<float, V>(p.weight, at, w);
  for (int k = 0; k < kStates; ++k) store<float, V>(p.state[k], at, state[k]);
}

HPMP_DEVICE void update(const UpdateArgs& a, int i) {
  const UpdateRule& rule = a.numbers ? a.numbers->rule : a.rule;
  if (rule.kind == UpdateKind::adamw) return update_at<1>(rule.adamw, a.piece, i);
  update_at<1>(rule.sgd, a.piece, i);
}
HPMP_PLAIN_KERNEL(update, UpdateArgs)

template <class Rule>
HPMP_DEVICE void update_four(const Rule& rule, const UpdatePiece& piece, long long at) {
  constexpr int kWide = 4;
  if (piece.wide && at + kWide <= piece.count) return update_at<kWide>(rule, piece, at);
  const long long end = at + kWide < piece.count ? at + kWide : piece.count;
  for (long long k = at; k < end; ++k) update_at<1>(rule, piece, k);
}

HPMP_DEVICE void update_all(const UpdateAllArgs& a, int i) {
  const Tile tile = tile_of(a.tiles, i);
  const UpdatePiece& piece = a.pieces[tile.piece];
  const long long at = static_cast<long long>(tile.first) * 4;
  const UpdateRule& rule = a.numbers->rule;
  if (rule.kind == UpdateKind::adamw) return update_four(rule.adamw, piece, at);
  update_four(rule.sgd, piece, at);
}
HPMP_PLAIN_KERNEL(update_all, UpdateAllArgs)

}  // namespace hpmp::cuda
