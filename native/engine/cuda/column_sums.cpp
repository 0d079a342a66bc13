#include "engine/cuda/column_sums.h"

#include <algorithm>

namespace hpmp::cuda {
namespace {

/// Blocks that fill a GPU, and rows that a thread should have at least.
constexpr std::int64_t kBlocks = 2048, kFewRows = 4;

int chunks_of(std::int64_t segments, std::int64_t rows, std::int64_t c, int width) {
  const std::int64_t vectors = c % width == 0 ? c / width : c, lanes = strip_lanes(vectors);
  const std::int64_t strips = (vectors + lanes - 1) / lanes, walkers = kSumThreads / lanes;
  const std::int64_t wanted = kBlocks / std::max<std::int64_t>(1, segments * strips);
  return static_cast<int>(std::max<std::int64_t>(1, std::min(wanted, rows / (walkers * kFewRows))));
}

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
  return static_cast<std::size_t>(segments_ * (chunks_ + 1) * c_) * sizeof(SumPair);
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
  sum_rows_.run(stream_, all_chunks(), {x, dy}, args);
  return merge(scratch);
}

const SumPair* ColumnSums::merge(std::byte* scratch) const {
  const auto* from = reinterpret_cast<const SumPair*>(scratch);
  if (chunks_ == 1) return from;
  auto* to = reinterpret_cast<SumPair*>(scratch) + all_chunks() * c_;
  const std::int64_t strips = (c_ + kMergedChannels - 1) / kMergedChannels;
  merge_sums_.run(stream_, segments_ * strips, {0, static_cast<int>(c_), chunks_, from, to});
  return to;
}

}  // namespace hpmp::cuda
