// Sums over the rows of [segments][rows][c], in an order that depends on the shape alone.
#pragma once

#include "engine/cuda/kernels/sums.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

class ColumnSums {
 public:
  ColumnSums(const Target& target, std::int64_t segments, std::int64_t rows, std::int64_t c);

  /// Of all partial sums and their sums.
  std::size_t scratch_bytes() const;
  int chunks() const { return chunks_; }
  std::int64_t segments() const { return segments_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t c() const { return c_; }
  /// Elements of one pass over the chunks: what a kernel like sum_rows is launched with.
  std::int64_t slots() const { return segments_ * chunks_ * c_; }

  /// Sums of x and dy (null where the kind has none): [segments][c], in `scratch`.
  const SumPair* run(SumKind kind, const void* x, const void* dy, std::byte* scratch) const;
  /// From partials, [segments][chunks][c] at the start of `scratch`, to [segments][c] in it.
  const SumPair* merge(std::byte* scratch) const;

 private:
  Stream& stream_;
  std::int64_t segments_, rows_, c_;
  int chunks_;
  WideEntry<SumsArgs> sum_rows_;
  PlainEntry<MergeArgs> merge_sums_;
};

}  // namespace hpmp::cuda
