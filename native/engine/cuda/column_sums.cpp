#include "engine/cuda/column_sums.h"

#include <algorithm>

namespace hpmp::cuda {
namespace {

/// Threads that fill a GPU, rows that a thread should have at least, chunks that merge into one.
constexpr std::int64_t kThreads = 1 << 16, kFewRows = 8, kMostChunks = 4096;
constexpr int kMerged = 64;

int chunks_of(std::int64_t segments, std::int64_t rows, std::int64_t c, int width) {
  const std::int64_t vectors = c % width == 0 ? c / width : c;
  const std::int64_t wanted = kThreads / std::max<std::int64_t>(1, segments * vectors);
  return static_cast<int>(
      std::max<std::int64_t>(1, std::min({wanted, kMostChunks, rows / kFewRows})));
}

int merged(int chunks) { return (chunks + kMerged - 1) / kMerged; }

}  // namespace

ColumnSums::ColumnSums(const Target& target, std::int64_t segments, std::int64_t rows,
                       std::int64_t c)
    : stream_(target.stream),
      segments_(segments),
      rows_(rows),
      c_(c),
      chunks_(chunks_of(segments, rows, c, wide_elems(target.storage))),
      sum_rows_(*stream_.device(), "sum_rows", target.storage),
      merge_sums_(*stream_.device(), "merge_sums") {}

std::size_t ColumnSums::scratch_bytes() const {
  std::int64_t pairs = segments_ * chunks_ * c_;
  for (int chunks = chunks_; chunks > 1;) {
    chunks = merged(chunks);
    pairs += segments_ * chunks * c_;
  }
  return static_cast<std::size_t>(pairs) * sizeof(SumPair);
}

const SumPair* ColumnSums::run(SumKind kind, const void* x, const void* dy,
                               std::byte* scratch) const {
  SumsArgs args{0,
                kind,
                static_cast<int>(c_),
                item_count(rows_),
                chunks_,
                x,
                dy,
                reinterpret_cast<SumPair*>(scratch)};
  sum_rows_.run(stream_, slots(), c_, {x, dy}, args);
  return merge(scratch);
}

const SumPair* ColumnSums::merge(std::byte* scratch) const {
  const auto* from = reinterpret_cast<const SumPair*>(scratch);
  for (int chunks = chunks_; chunks > 1;) {
    auto* to = const_cast<SumPair*>(from) + segments_ * chunks * c_;
    const int left = merged(chunks);
    merge_sums_.run(stream_, segments_ * left * c_,
                    {0, static_cast<int>(c_), chunks, kMerged, from, to});
    from = to;
    chunks = left;
  }
  return from;
}

}  // namespace hpmp::cuda
