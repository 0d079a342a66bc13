// The optimizer.
#include "engine/cuda/kernels/update.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

struct SgdFactors {
  float lr, momentum, weight_decay;

  HPMP_DEVICE void step(float g, float& w, float& m) const {
    m = momentum * m + (g + weight_decay * w);
    w -= lr * m;
  }
};

HPMP_DEVICE SgdFactors factors_of(const StepNumbers& n) {
  return {n.lr, n.momentum, n.weight_decay};
}

HPMP_DEVICE void sgd(const SgdArgs& a, int i) {
  SgdFactors factors{a.lr, a.momentum, a.weight_decay};
  if (a.numbers) factors = factors_of(*a.numbers);
  factors.step(a.grad[i], a.weight[i], a.velocity[i]);
}
HPMP_PLAIN_KERNEL(sgd, SgdArgs)

HPMP_DEVICE void sgd_all(const SgdAllArgs& a, int i) {
  constexpr int kWide = 4;
  const Tile tile = tile_of(a.tiles, i);
  const SgdPiece& piece = a.pieces[tile.piece];
  const SgdFactors factors = factors_of(*a.numbers);
  const long long at = static_cast<long long>(tile.first) * kWide;
  if (piece.wide && at + kWide <= piece.count) {
    const Floats<kWide> g = load<float, kWide>(piece.grad, at);
    Floats<kWide> w = load<float, kWide>(piece.weight, at);
    Floats<kWide> m = load<float, kWide>(piece.velocity, at);
    for (int j = 0; j < kWide; ++j) factors.step(g[j], w[j], m[j]);
    store<float, kWide>(piece.weight, at, w);
    store<float, kWide>(piece.velocity, at, m);
    return;
  }
  const long long end = at + kWide < piece.count ? at + kWide : piece.count;
  for (long long k = at; k < end; ++k)
    factors.step(piece.grad[k], piece.weight[k], piece.velocity[k]);
}
HPMP_PLAIN_KERNEL(sgd_all, SgdAllArgs)

}  // namespace hpmp::cuda
