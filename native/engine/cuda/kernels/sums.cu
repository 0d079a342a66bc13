// Sums over rows of [segments][rows][c].
#include "engine/cuda/kernels/sums.h"

#include "engine/cuda/kernels/sum_chunk.h"

namespace hpmp::cuda {

template <int V>
HPMP_DEVICE void add_terms(ChunkSums<V>& sums, int kind, const Floats<V>& x, const Floats<V>& dy) {
  for (int j = 0; j < V; ++j) {
    const double v = x[j], g = dy[j];
    if (kind == kBelow) {
      sums.second[j] += x[j] < 0.f ? v * g : 0.;
      continue;
    }
    sums.first[j] += kind == kProducts ? g : v;
    if (kind != kValues) sums.second[j] += v * (kind == kMoments ? v : g);
  }
}

template <class T, int V>
HPMP_DEVICE void sum_rows(const SumsArgs& a, int i) {
  const ChunkPlace at = chunk_place<V>(a.c, a.rows, a.chunks, i);
  ChunkSums<V> sums;
  for (long long row = at.first; row < at.last; ++row) {
    const long long offset = row * a.c + at.channel;
    const Floats<V> x = load<T, V>(a.x, offset);
    add_terms<V>(sums, a.kind, x, a.kind >= kProducts ? load<T, V>(a.dy, offset) : x);
  }
  sums.write(a.partials + at.slot);
}
HPMP_KERNEL(sum_rows, SumsArgs)

HPMP_DEVICE void merge_sums(const MergeArgs& a, int i) {
  const int groups = (a.chunks + a.merged - 1) / a.merged;
  const int channel = i % a.c, group = i / a.c % groups, segment = i / a.c / groups;
  const int first = group * a.merged;
  const int last = first + a.merged < a.chunks ? first + a.merged : a.chunks;
  SumPair sum{0, 0};
  for (int k = first; k < last; ++k) {
    const SumPair part = a.from[(static_cast<long long>(segment) * a.chunks + k) * a.c + channel];
    sum.first += part.first;
    sum.second += part.second;
  }
  a.to[i] = sum;
}
HPMP_PLAIN_KERNEL(merge_sums, MergeArgs)

HPMP_DEVICE void add_sums(const AddSumsArgs& a, int i) {
  SumPair sum = a.sums[i];
  for (int k = 1; a.shared && k < a.c; ++k) {
    sum.first += a.sums[k].first;
    sum.second += a.sums[k].second;
  }
  if (a.first) a.first[i] += static_cast<float>(sum.first);
  if (a.second) a.second[i] += static_cast<float>(sum.second);
}
HPMP_PLAIN_KERNEL(add_sums, AddSumsArgs)

template <class T, int V>
HPMP_DEVICE void store_sums(const StoreSumsArgs& a, int i) {
  const double sum = a.second ? a.sums[i].second : a.sums[i].first;
  put<T, 1>(a.y, i, {{static_cast<float>(sum * a.factor)}}, a.accumulate);
}
HPMP_NARROW_KERNEL(store_sums, StoreSumsArgs)

}  // namespace hpmp::cuda
