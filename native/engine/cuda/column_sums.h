// Sums over the rows of [segments][rows][c], in an order that depends on the shape alone.
#pragma once

#include "engine/cuda/kernels/sums.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

/// HPMP_SUM_KERNEL(name, Args, Terms): blocks whose threads meet; vectors as WideEntry's.
template <class Args>
class SumEntry {
 public:
  SumEntry(const Device& device, const std::string& name, DType storage)
      : narrow_(device.function(name + (storage == DType::bf16 ? "_bf16" : "_fp32"))),
        wide_(device.function(name + (storage == DType::bf16 ? "_bf16_wide" : "_fp32_wide"))),
        width_(wide_elems(storage)) {}

  /// chunks: of all segments.
  void run(Stream& stream, std::int64_t chunks, std::initializer_list<const void*> tensors,
           Args args) const {
    bool wide = args.c % width_ == 0;
    for (const void* p : tensors) wide = wide && is_aligned(p);
    const std::int64_t vectors = wide ? args.c / width_ : args.c, lanes = strip_lanes(vectors);
    args.items = item_count(chunks * ((vectors + lanes - 1) / lanes));
    run_blocks(stream, wide ? wide_ : narrow_, args.items, kSumThreads, &args);
  }

 private:
  void *narrow_, *wide_;
  int width_;
};

class ColumnSums {
 public:
  ColumnSums(const Target& target, std::int64_t segments, std::int64_t rows, std::int64_t c);

  /// Of all partial sums and their sums.
  std::size_t scratch_bytes() const;
  int chunks() const { return chunks_; }
  std::int64_t segments() const { return segments_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t c() const { return c_; }
  /// Of all segments: what a kernel like sum_rows is launched with.
  std::int64_t all_chunks() const { return segments_ * chunks_; }

  /// Sums of x and dy (null where the kind has none): [segments][c], in `scratch`.
  const SumPair* run(SumKind kind, const void* x, const void* dy, std::byte* scratch) const;
  /// From partials, [segments][chunks][c] at the start of `scratch`, to [segments][c] in it.
  const SumPair* merge(std::byte* scratch) const;

 private:
  Stream& stream_;
  std::int64_t segments_, rows_, c_;
  int chunks_;
  SumEntry<SumsArgs> sum_rows_;
  BlockEntry<MergeArgs> merge_sums_;
};

}  // namespace hpmp::cuda
