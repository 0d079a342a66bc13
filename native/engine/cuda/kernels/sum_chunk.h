// The loop of one chunk of rows, for whatever is summed.
#pragma once

#include "engine/cuda/kernels/portable.h"
#include "engine/cuda/kernels/sums.h"

namespace hpmp::cuda {

/// Where item i of a chunked sum stands.
struct ChunkPlace {
  int channel, segment;
  long long first, last;  // rows of the whole tensor
  long long slot;         // of the first channel among the partials
};

template <int V>
HPMP_DEVICE ChunkPlace chunk_place(int c, int rows, int chunks, int i) {
  const int vectors = c / V, channel = i % vectors * V;
  const int chunk = i / vectors % chunks, segment = i / vectors / chunks;
  const long long start = static_cast<long long>(segment) * rows;
  return {channel, segment, start + static_cast<long long>(rows) * chunk / chunks,
          start + static_cast<long long>(rows) * (chunk + 1) / chunks,
          (static_cast<long long>(segment) * chunks + chunk) * c + channel};
}

template <int V>
struct ChunkSums {
  double first[V], second[V];

  HPMP_DEVICE ChunkSums() {
    for (int j = 0; j < V; ++j) first[j] = second[j] = 0;
  }
  HPMP_DEVICE void write(SumPair* partials) const {
    for (int j = 0; j < V; ++j) partials[j] = {first[j], second[j]};
  }
};

}  // namespace hpmp::cuda
