// batch_norm, with the add and the bounds fused behind it.
#include "engine/cuda/kernels/norm.h"

#include "engine/cuda/kernels/sum_chunk.h"

namespace hpmp::cuda {

HPMP_DEVICE void norm_moments(const MomentsArgs& a, int c) {
  double mean_sum = 0, variance_sum = 0;
  for (int s = 0; s < a.segments; ++s) {
    const SumPair sum = a.sums[static_cast<long long>(s) * a.c + c];
    const double mean = sum.first / a.count;
    const double spread = sum.second / a.count - mean * mean, variance = spread < 0 ? 0 : spread;
    float* means = a.means + static_cast<long long>(s) * 2 * a.c;
    means[c] = static_cast<float>(mean);
    means[a.c + c] = static_cast<float>(1 / sqrt(variance + a.epsilon));
    mean_sum += mean;
    variance_sum += variance;
  }
  if (!a.running_mean) return;
  a.running_mean[c] += static_cast<float>(a.weight * mean_sum);
  a.running_var[c] += static_cast<float>(a.weight * variance_sum);
}
HPMP_PLAIN_KERNEL(norm_moments, MomentsArgs)

HPMP_DEVICE void norm_running(const RunningArgs& a, int i) {
  const int c = i % a.c;
  float* means = a.means + static_cast<long long>(i / a.c) * 2 * a.c;
  means[c] = a.running_mean[c];
  means[a.c + c] = static_cast<float>(1 / sqrt(static_cast<double>(a.running_var[c]) + a.epsilon));
}
HPMP_PLAIN_KERNEL(norm_running, RunningArgs)

/// The constants of V channels of a segment.
template <int V>
struct NormConstants {
  Floats<V> mean, factor, shift;

  HPMP_DEVICE NormConstants(const float* means, const float* scale, const float* shifts, int c,
                            int segment, int channel) {
    const float* row = means + static_cast<long long>(segment) * 2 * c + channel;
    mean = load_row<V>(row);
    factor = load_row<V>(scale + channel);
    shift = load_row<V>(shifts + channel);
    const Floats<V> invstd = load_row<V>(row + c);
    for (int j = 0; j < V; ++j) factor[j] *= invstd[j];
  }
  /// Spelled as one rounding, so that backward finds the bounds where forward found them.
  HPMP_DEVICE float value(int j, float x) const { return fmaf(x - mean[j], factor[j], shift[j]); }
};

template <class T, int V>
HPMP_DEVICE void norm_forward(const NormalizeArgs& a, int i) {
  const int vectors = a.c / V, channel = i % vectors * V;
  const NormConstants<V> k(a.means, a.scale, a.shift, a.c, i / vectors / a.rows, channel);
  const long long at = static_cast<long long>(i) * V;
  Floats<V> x = load<T, V>(a.x, at), other{};
  if (a.other) other = load<T, V>(a.other, at);
  for (int j = 0; j < V; ++j) x[j] = held(k.value(j, x[j]) + other[j], a.low, a.high);
  store<T, V>(a.y, at, x);
}
HPMP_KERNEL(norm_forward, NormalizeArgs)

/// What passes the bounds of dy: looked up in y, or in the value of x.
template <class T, int V>
HPMP_DEVICE Floats<V> passed(const NormSumsArgs& a, const NormConstants<V>& k, const Floats<V>& x,
                             long long at) {
  Floats<V> dy = load<T, V>(a.dy, at), y{};
  if (a.y) y = load<T, V>(a.y, at);
  for (int j = 0; j < V; ++j) {
    if (stops(a.y ? y[j] : k.value(j, x[j]), a.low, a.high)) dy[j] = 0;
  }
  return dy;
}

template <class T, int V>
HPMP_DEVICE void norm_sums(const NormSumsArgs& a, int i) {
  const ChunkPlace place = chunk_place<V>(a.c, a.rows, a.chunks, i);
  const NormConstants<V> k(a.means, a.scale, a.shift, a.c, place.segment, place.channel);
  ChunkSums<V> sums;
  for (long long row = place.first; row < place.last; ++row) {
    const long long at = row * a.c + place.channel;
    const Floats<V> x = load<T, V>(a.x, at), g = passed<T, V>(a, k, x, at);
    if (a.kept) store<T, V>(a.kept, at, g);
    if (a.added) put<T, V>(a.added, at, g, 1);
    for (int j = 0; j < V; ++j) {
      const double dy = g[j];
      sums.first[j] += dy;
      sums.second[j] += dy * (static_cast<double>(x[j]) - k.mean[j]);
    }
  }
  sums.write(a.partials + place.slot);
}
HPMP_KERNEL(norm_sums, NormSumsArgs)

HPMP_DEVICE void norm_slopes(const SlopesArgs& a, int c) {
  double scale_grad = 0, shift_grad = 0;
  for (int s = 0; s < a.segments; ++s) {
    const long long row = static_cast<long long>(s) * 2 * a.c;
    const double invstd = a.means[row + a.c + c];
    SumPair sum = a.sums[static_cast<long long>(s) * a.c + c];
    if (!a.divided) sum.second *= invstd;
    if (a.slopes) {
      a.slopes[row + c] = static_cast<float>(sum.first / a.count);
      a.slopes[row + a.c + c] = static_cast<float>(sum.second * invstd / a.count);
    }
    if (a.own) a.own[c] = sum;
    scale_grad += sum.second;
    shift_grad += sum.first;
  }
  if (a.scale_grad) a.scale_grad[c] += static_cast<float>(scale_grad);
  if (a.shift_grad) a.shift_grad[c] += static_cast<float>(shift_grad);
}
HPMP_PLAIN_KERNEL(norm_slopes, SlopesArgs)

template <class T, int V>
HPMP_DEVICE void norm_backward(const NormGradArgs& a, int i) {
  const int vectors = a.c / V, channel = i % vectors * V, segment = i / vectors / a.rows;
  const NormConstants<V> k(a.means, a.scale, a.shift, a.c, segment, channel);
  Floats<V> shift{}, slope{};
  if (a.slopes) {
    const float* row = a.slopes + static_cast<long long>(segment) * 2 * a.c + channel;
    shift = load_row<V>(row);
    slope = load_row<V>(row + a.c);
  }
  const long long at = static_cast<long long>(i) * V;
  const Floats<V> x = load<T, V>(a.x, at);
  Floats<V> dx = load<T, V>(a.dy, at);
  for (int j = 0; j < V; ++j) {
    if (a.bounded && stops(k.value(j, x[j]), a.low, a.high)) dx[j] = 0;
    dx[j] = k.factor[j] * (dx[j] - shift[j] - slope[j] * (x[j] - k.mean[j]));
  }
  put<T, V>(a.dx, at, dx, a.accumulate);
}
HPMP_KERNEL(norm_backward, NormGradArgs)

}  // namespace hpmp::cuda
