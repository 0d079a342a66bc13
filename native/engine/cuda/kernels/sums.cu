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
struct RowTerms {
  struct Row {
    Floats<V> x, dy;
  };

  HPMP_DEVICE RowTerms(const SumsArgs&, const ChunkPlace&) {}
  HPMP_DEVICE Row read(const SumsArgs& a, long long, long long at) const {
    const Floats<V> x = load<T, V>(a.x, at);
    return {x, a.kind >= kProducts ? load<T, V>(a.dy, at) : x};
  }
  HPMP_DEVICE void add(const SumsArgs& a, const Row& row, long long, ChunkSums<V>& sums) const {
    add_terms<V>(sums, a.kind, row.x, row.dy);
  }
};
HPMP_SUM_KERNEL(sum_rows, SumsArgs, RowTerms)

struct MergeChunks {
  static constexpr int kPhases = 2, kThreads = kSumThreads;
  static constexpr int kWalkers = kThreads / kMergedChannels;
  struct Shared {
    SumPair of[kThreads];
  };

  static HPMP_DEVICE void run(const MergeArgs& a, int block, int thread, int phase,
                              Shared& shared) {
    const int strips = (a.c + kMergedChannels - 1) / kMergedChannels;
    const int channel = block % strips * kMergedChannels + thread % kMergedChannels;
    const long long segment = block / strips;
    SumPair sum{0, 0};
    if (phase == 0) {
      for (int k = thread / kMergedChannels; channel < a.c && k < a.chunks; k += kWalkers)
        add(sum, a.from[(segment * a.chunks + k) * a.c + channel]);
      shared.of[thread] = sum;
    } else if (thread < kMergedChannels && channel < a.c) {
      for (int t = thread; t < kThreads; t += kMergedChannels) add(sum, shared.of[t]);
      a.to[segment * a.c + channel] = sum;
    }
  }

 private:
  static HPMP_DEVICE void add(SumPair& sum, const SumPair& part) {
    sum.first += part.first;
    sum.second += part.second;
  }
};
HPMP_BLOCK_ENTRY(merge_sums_plain, MergeArgs, MergeChunks)

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
