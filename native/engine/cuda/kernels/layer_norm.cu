// layer_norm, a block per pixel.
#include "engine/cuda/kernels/layer_norm.h"

#include "engine/cuda/kernels/row.h"
#include "engine/cuda/kernels/sum_chunk.h"

namespace hpmp::cuda {

template <class T>
struct layer_norm_forward {
  static constexpr int kPhases = 3;
  static HPMP_DEVICE void run(const LayerNormArgs& a, int row, int thread, int phase,
                              RowShared& shared) {
    const long long start = static_cast<long long>(row) * a.c;
    if (phase == 0) return leave_sum(a, start, thread, shared);
    const float mean = static_cast<float>(sum_of(shared.sum) / a.c);
    if (phase == 1) return leave_squares(a, start, thread, mean, shared);
    const double variance = sum_of(shared.highest) / a.c;
    const float invstd = static_cast<float>(1 / sqrt(variance + a.epsilon));
    for (int k = thread; k < a.c; k += kRowThreads) {
      const float normal = (element<T>(a.x, start + k) - mean) * invstd;
      const float y = normal * (a.scale ? a.scale[k] : 1.f) + (a.shift ? a.shift[k] : 0.f);
      store<T, 1>(a.y, start + k, {{y}});
    }
    if (thread != 0 || !a.means) return;
    a.means[2 * static_cast<long long>(row)] = mean;
    a.means[2 * static_cast<long long>(row) + 1] = invstd;
  }

 private:
  static HPMP_DEVICE void leave_sum(const LayerNormArgs& a, long long start, int thread,
                                    RowShared& shared) {
    double sum = 0;
    for (int k = thread; k < a.c; k += kRowThreads) sum += element<T>(a.x, start + k);
    shared.sum[thread] = sum;
  }
  static HPMP_DEVICE void leave_squares(const LayerNormArgs& a, long long start, int thread,
                                        float mean, RowShared& shared) {
    float sum = 0;
    for (int k = thread; k < a.c; k += kRowThreads) {
      const float d = element<T>(a.x, start + k) - mean;
      sum = fmaf(d, d, sum);
    }
    shared.highest[thread] = sum;
  }
};
HPMP_ROW_KERNEL(layer_norm_forward, LayerNormArgs)

template <class T>
struct layer_norm_backward {
  static constexpr int kPhases = 2;
  static HPMP_DEVICE void run(const LayerNormGradArgs& a, int row, int thread, int phase,
                              RowShared& shared) {
    const long long start = static_cast<long long>(row) * a.c;
    const float mean = a.means[2 * static_cast<long long>(row)];
    const float invstd = a.means[2 * static_cast<long long>(row) + 1];
    double sum = 0, product = 0;
    float offset = 0, slope = 0;
    if (phase == 1) {
      offset = static_cast<float>(sum_of(shared.sum) / a.c);
      slope = static_cast<float>(sum_of(shared.highest) / a.c);
    }
    for (int k = thread; k < a.c; k += kRowThreads) {
      const float normal = (element<T>(a.x, start + k) - mean) * invstd;
      const float g = element<T>(a.dy, start + k) * (a.scale ? a.scale[k] : 1.f);
      sum += g;
      product += g * normal;
      if (phase == 1)
        put<T, 1>(a.dx, start + k, {{(g - offset - normal * slope) * invstd}}, a.accumulate);
    }
    if (phase == 1) return;
    shared.sum[thread] = sum;
    shared.highest[thread] = static_cast<float>(product);
  }
};
HPMP_ROW_KERNEL(layer_norm_backward, LayerNormGradArgs)

template <class T, int V>
struct LayerNormTerms {
  struct Row {
    Floats<V> x, dy;
    float mean, invstd;
  };

  HPMP_DEVICE LayerNormTerms(const LayerNormSumsArgs&, const ChunkPlace&) {}
  HPMP_DEVICE Row read(const LayerNormSumsArgs& a, long long row, long long at) const {
    return {load<T, V>(a.x, at), load<T, V>(a.dy, at), a.means[2 * row], a.means[2 * row + 1]};
  }
  HPMP_DEVICE void add(const LayerNormSumsArgs&, const Row& row, long long,
                       ChunkSums<V>& sums) const {
    for (int j = 0; j < V; ++j) {
      sums.first[j] += row.dy[j];
      sums.second[j] += row.dy[j] * ((row.x[j] - row.mean) * row.invstd);
    }
  }
};
HPMP_SUM_KERNEL(layer_norm_sums, LayerNormSumsArgs, LayerNormTerms)

}  // namespace hpmp::cuda
