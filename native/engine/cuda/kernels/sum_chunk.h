// Sums of one chunk of rows by one block, for whatever is summed.
#pragma once

#include "engine/cuda/kernels/row.h"
#include "engine/cuda/kernels/sums.h"

namespace hpmp::cuda {

/// Rows of one chunk, and where the sums of its first channel go.
struct ChunkPlace {
  int channel, segment;
  long long first, last;  // rows of the whole tensor
  long long slot;         // of `channel` among the partials
};

/// chunk: of all chunks of all segments.
HPMP_DEVICE ChunkPlace chunk_place(int c, int rows, int chunks, int chunk, int channel) {
  const int segment = chunk / chunks, own = chunk % chunks;
  const long long start = static_cast<long long>(segment) * rows;
  return {channel, segment, start + static_cast<long long>(rows) * own / chunks,
          start + static_cast<long long>(rows) * (own + 1) / chunks,
          static_cast<long long>(chunk) * c + channel};
}

template <int V>
struct ChunkSums {
  double first[V], second[V];

  HPMP_DEVICE ChunkSums() {
    for (int j = 0; j < V; ++j) first[j] = second[j] = 0;
  }
};

/// A block sums strip_lanes() vectors of channels: neighbours take neighbouring vectors of a row,
/// and the rows in turn; then the sums of one channel are added in the threads' order.
/// Terms<T, V>(args, place) reads a row at an element and adds what that contributes.
template <class Terms, class Args, int V>
struct SumChunk {
  struct Shared {
    SumPair of[V][kSumThreads];
  };
  static constexpr int kPhases = 2, kThreads = kSumThreads;

  static HPMP_DEVICE void run(const Args& a, int block, int thread, int phase, Shared& shared) {
    const int vectors = a.c / V, lanes = strip_lanes(vectors), walkers = kSumThreads / lanes;
    const int strips = (vectors + lanes - 1) / lanes, strip = block % strips;
    const int lane = thread % lanes;
    if (phase == 1) return merge(a, block / strips, strip * lanes, lanes, thread, shared);
    const int channel = (strip * lanes + lane) * V;
    ChunkSums<V> sums;
    if (channel < a.c) walk(a, block / strips, channel, thread / lanes, walkers, sums);
    for (int j = 0; j < V; ++j) shared.of[j][thread] = {sums.first[j], sums.second[j]};
  }

 private:
  static HPMP_DEVICE void walk(const Args& a, int chunk, int channel, int walker, int walkers,
                               ChunkSums<V>& sums) {
    const ChunkPlace place = chunk_place(a.c, a.rows, a.chunks, chunk, channel);
    const Terms terms(a, place);
    long long row = place.first + walker;
    for (; row + walkers < place.last; row += 2 * walkers) {  // two rows on their way
      const long long at = row * a.c + channel, next = at + static_cast<long long>(walkers) * a.c;
      const typename Terms::Row one = terms.read(a, row, at);
      const typename Terms::Row other = terms.read(a, row + walkers, next);
      terms.add(a, one, at, sums);
      terms.add(a, other, next, sums);
    }
    if (row >= place.last) return;
    const long long at = row * a.c + channel;
    terms.add(a, terms.read(a, row, at), at, sums);
  }

  static HPMP_DEVICE void merge(const Args& a, int chunk, int first, int lanes, int thread,
                                const Shared& shared) {
    for (int k = thread; k < lanes * V; k += kSumThreads) {
      const int lane = k % lanes, j = k / lanes, channel = (first + lane) * V + j;
      if (channel >= a.c) continue;
      SumPair sum{0, 0};
      for (int t = lane; t < kSumThreads; t += lanes) {
        sum.first += shared.of[j][t].first;
        sum.second += shared.of[j][t].second;
      }
      a.partials[static_cast<long long>(chunk) * a.c + channel] = sum;
    }
  }
};

#define HPMP_SUM_KERNEL(name, Args, Terms)                                     \
  HPMP_BLOCK_ENTRY(name##_fp32, Args, SumChunk<Terms<float, 1>, Args, 1>)      \
  HPMP_BLOCK_ENTRY(name##_bf16, Args, SumChunk<Terms<Bf16, 1>, Args, 1>)       \
  HPMP_BLOCK_ENTRY(name##_fp32_wide, Args, SumChunk<Terms<float, 4>, Args, 4>) \
  HPMP_BLOCK_ENTRY(name##_bf16_wide, Args, SumChunk<Terms<Bf16, 8>, Args, 8>)

}  // namespace hpmp::cuda
