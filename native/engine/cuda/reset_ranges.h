// What begins a step, in one launch: gradients to zero, running statistics decayed.
#pragma once

#include "engine/cuda/kernels/ranges.h"
#include "engine/cuda/tiles.h"

namespace hpmp::cuda {

class ResetRanges {
 public:
  /// `factor` 0: the bytes become zero, whatever they were; else they are floats, multiplied by it.
  struct Range {
    void* at;
    std::int64_t bytes;
    float factor = 0;
  };

  ResetRanges(Stream& stream, const std::vector<Range>& ranges);

  void run() const;
  std::size_t bytes() const { return pieces_.bytes(); }

 private:
  Stream& stream_;
  TiledPieces<RangePiece> pieces_;
  PlainEntry<RangesArgs> reset_;
};

}  // namespace hpmp::cuda
