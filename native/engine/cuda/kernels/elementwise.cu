// Kernels that walk tensors of one shape with one index.
#include "engine/cuda/kernels/elementwise.h"

#include "engine/cuda/kernels/functions.h"

namespace hpmp::cuda {

template <class T, int V>
HPMP_DEVICE void pointwise_forward(const PointwiseArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const Numbers numbers{a.alpha, a.beta, a.exponent};
  Floats<V> x = load<T, V>(a.x, at);
  for (int j = 0; j < V; ++j) x[j] = value_of(a.function, x[j], numbers);
  store<T, V>(a.y, at, x);
}
HPMP_KERNEL(pointwise_forward, PointwiseArgs)

template <class T, int V>
HPMP_DEVICE void pointwise_backward(const PointwiseGradArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const Numbers numbers{a.alpha, a.beta, a.exponent};
  const Floats<V> x = load<T, V>(a.at, at);
  Floats<V> dy = load<T, V>(a.dy, at);
  for (int j = 0; j < V; ++j) dy[j] *= slope_of(a.function, x[j], numbers);
  put<T, V>(a.dx, at, dy, a.accumulate);
}
HPMP_KERNEL(pointwise_backward, PointwiseGradArgs)

template <class T, int V>
HPMP_DEVICE void bounds_forward(const BoundsArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  Floats<V> x = load<T, V>(a.x, at);
  for (int j = 0; j < V; ++j) x[j] = held(x[j], a.low, a.high);
  store<T, V>(a.y, at, x);
}
HPMP_KERNEL(bounds_forward, BoundsArgs)

template <class T, int V>
HPMP_DEVICE void bounds_backward(const BoundsGradArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const Floats<V> y = load<T, V>(a.y, at);
  Floats<V> dy = load<T, V>(a.dy, at);
  for (int j = 0; j < V; ++j) dy[j] = stops(y[j], a.low, a.high) ? 0.f : dy[j];
  put<T, V>(a.dx, at, dy, a.accumulate);
}
HPMP_KERNEL(bounds_backward, BoundsGradArgs)

template <class T, int V>
HPMP_DEVICE void sum_operands(const SumArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  Floats<V> sum = load<T, V>(a.x[0], at);
  for (int k = 1; k < a.count; ++k) {
    const Floats<V> x = load<T, V>(a.x[k], at);
    for (int j = 0; j < V; ++j) sum[j] += x[j];
  }
  put<T, V>(a.y, at, sum, a.accumulate);
}
HPMP_KERNEL(sum_operands, SumArgs)

template <class T, int V>
HPMP_DEVICE void multiply(const ProductArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const Floats<V> left = load<T, V>(a.a, at);
  Floats<V> product = load<T, V>(a.b, at);
  for (int j = 0; j < V; ++j) product[j] *= left[j];
  put<T, V>(a.y, at, product, a.accumulate);
}
HPMP_KERNEL(multiply, ProductArgs)

/// A NaN among the operands is the result.
template <class T, int V>
HPMP_DEVICE Floats<V> best_of(const ExtremumArgs& a, long long at) {
  Floats<V> best = load<T, V>(a.x[0], at);
  for (int k = 1; k < a.count; ++k) {
    const Floats<V> x = load<T, V>(a.x[k], at);
    for (int j = 0; j < V; ++j)
      best[j] = a.sign * x[j] > a.sign * best[j] || x[j] != x[j] ? x[j] : best[j];
  }
  return best;
}

template <class T, int V>
HPMP_DEVICE void extremum_forward(const ExtremumArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  store<T, V>(a.to, at, best_of<T, V>(a, at));
}
HPMP_KERNEL(extremum_forward, ExtremumArgs)

/// Equal operands share the gradient.
template <class T, int V>
HPMP_DEVICE void extremum_backward(const ExtremumArgs& a, int i) {
  const long long at = static_cast<long long>(i) * V;
  const Floats<V> best = best_of<T, V>(a, at), own = load<T, V>(a.x[a.own], at);
  Floats<V> dy = load<T, V>(a.dy, at), ties{};
  for (int k = 0; k < a.count; ++k) {
    const Floats<V> x = load<T, V>(a.x[k], at);
    for (int j = 0; j < V; ++j) ties[j] += x[j] == best[j] ? 1.f : 0.f;
  }
  for (int j = 0; j < V; ++j) dy[j] = own[j] == best[j] ? dy[j] / ties[j] : 0.f;
  put<T, V>(a.to, at, dy, a.accumulate);
}
HPMP_KERNEL(extremum_backward, ExtremumArgs)

}  // namespace hpmp::cuda
