// resample: each element gathers by the taps of its row and of its column.
#include "engine/cuda/kernels/resample.h"

#include "engine/cuda/kernels/portable.h"
#include "engine/cuda/kernels/windows.h"

namespace hpmp::cuda {

template <class T, int V>
HPMP_DEVICE void resample(const ResampleArgs& a, int i) {
  const PixelPlace at = pixel_place<V>(i, a.c, a.to_h, a.to_w);
  const int first_row = a.rows.begin[at.h], last_row = a.rows.begin[at.h + 1];
  const int first_column = a.columns.begin[at.w], last_column = a.columns.begin[at.w + 1];
  const bool outside = first_row == last_row || first_column == last_column;
  Floats<V> sum;
  for (int j = 0; j < V; ++j) sum[j] = outside ? a.fill : 0.f;
  for (int r = first_row; r < last_row; ++r) {
    const long long row = (static_cast<long long>(at.n) * a.from_h + a.rows.at[r]) * a.from_w;
    const float row_weight = a.rows.weight[r];
    for (int s = first_column; s < last_column; ++s) {
      const Floats<V> x = load<T, V>(a.from, (row + a.columns.at[s]) * a.c + at.channel);
      const float weight = row_weight * a.columns.weight[s];
      for (int j = 0; j < V; ++j) sum[j] = fmaf(x[j], weight, sum[j]);
    }
  }
  put<T, V>(a.to, static_cast<long long>(i) * V, sum, a.accumulate);
}
HPMP_KERNEL(resample, ResampleArgs)

}  // namespace hpmp::cuda
