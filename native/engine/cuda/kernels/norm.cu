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

/// Some rows of a segment, one vector of channels each: what is known of channels is read once, and
/// the rows are on their way at the same time.
template <int V>
struct NormRows {
  int channel, segment, count;
  long long at, step;  // elements

  HPMP_DEVICE NormRows(int i, int c, int rows) {
    const int vectors = c / V, group = i / vectors, groups = norm_groups(rows);
    const int first = group % groups * kNormRows;
    channel = i % vectors * V;
    segment = group / groups;
    count = rows - first < kNormRows ? rows - first : kNormRows;
    step = c;
    at = (static_cast<long long>(segment) * rows + first) * c + channel;
  }
  template <class T>
  HPMP_DEVICE void read(const void* data, Floats<V> (&x)[kNormRows]) const {
    for (int r = 0; r < kNormRows; ++r) {
      if (r < count) x[r] = load<T, V>(data, at + r * step);
    }
  }
};

template <class T, int V>
HPMP_DEVICE void norm_forward(const NormalizeArgs& a, int i) {
  const NormRows<V> rows(i, a.c, a.rows);
  Floats<V> x[kNormRows]{}, other[kNormRows]{};
  rows.template read<T>(a.x, x);
  if (a.other) rows.template read<T>(a.other, other);
  const NormConstants<V> k(a.means, a.scale, a.shift, a.c, rows.segment, rows.channel);
  for (int r = 0; r < kNormRows; ++r) {
    if (r >= rows.count) break;
    for (int j = 0; j < V; ++j) x[r][j] = held(k.value(j, x[r][j]) + other[r][j], a.low, a.high);
    store<T, V>(a.y, rows.at + r * rows.step, x[r]);
  }
}
HPMP_KERNEL(norm_forward, NormalizeArgs)

template <class T, int V>
struct NormTerms {
  struct Row {
    Floats<V> x, dy, y;
  };
  NormConstants<V> k;

  HPMP_DEVICE NormTerms(const NormSumsArgs& a, const ChunkPlace& place)
      : k(a.means, a.scale, a.shift, a.c, place.segment, place.channel) {}
  HPMP_DEVICE Row read(const NormSumsArgs& a, long long, long long at) const {
    Row row{load<T, V>(a.x, at), load<T, V>(a.dy, at), {}};
    if (a.y) row.y = load<T, V>(a.y, at);
    return row;
  }
  HPMP_DEVICE void add(const NormSumsArgs& a, const Row& row, long long at,
                       ChunkSums<V>& sums) const {
    const Floats<V> g = passed(a, row);
    if (a.kept) store<T, V>(a.kept, at, g);
    if (a.added) put<T, V>(a.added, at, g, 1);
    for (int j = 0; j < V; ++j) {
      const double dy = g[j];
      sums.first[j] += dy;
      sums.second[j] += dy * (static_cast<double>(row.x[j]) - k.mean[j]);
    }
  }
  /// Of dy, what passes the bounds: looked up in y, or in the value of x.
  HPMP_DEVICE Floats<V> passed(const NormSumsArgs& a, const Row& row) const {
    Floats<V> g = row.dy;
    for (int j = 0; j < V; ++j) {
      if (stops(a.y ? row.y[j] : k.value(j, row.x[j]), a.low, a.high)) g[j] = 0;
    }
    return g;
  }
};
HPMP_SUM_KERNEL(norm_sums, NormSumsArgs, NormTerms)

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
  const NormRows<V> rows(i, a.c, a.rows);
  Floats<V> x[kNormRows]{}, dx[kNormRows]{}, shift{}, slope{};
  rows.template read<T>(a.x, x);
  rows.template read<T>(a.dy, dx);
  const NormConstants<V> k(a.means, a.scale, a.shift, a.c, rows.segment, rows.channel);
  if (a.slopes) {
    const float* row = a.slopes + static_cast<long long>(rows.segment) * 2 * a.c + rows.channel;
    shift = load_row<V>(row);
    slope = load_row<V>(row + a.c);
  }
  for (int r = 0; r < kNormRows; ++r) {
    if (r >= rows.count) break;
    for (int j = 0; j < V; ++j) {
      if (a.bounded && stops(k.value(j, x[r][j]), a.low, a.high)) dx[r][j] = 0;
      dx[r][j] = k.factor[j] * (dx[r][j] - shift[j] - slope[j] * (x[r][j] - k.mean[j]));
    }
    put<T, V>(a.dx, rows.at + r * rows.step, dx[r], a.accumulate);
  }
}
HPMP_KERNEL(norm_backward, NormGradArgs)

}  // namespace hpmp::cuda
