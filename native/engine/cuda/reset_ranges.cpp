#include "engine/cuda/reset_ranges.h"

namespace hpmp::cuda {
namespace {

std::vector<RangePiece> pieces_of(const std::vector<ResetRanges::Range>& ranges) {
  std::vector<RangePiece> pieces;
  for (const ResetRanges::Range& r : ranges) {
    ensure(r.factor == 0 || r.bytes % 4 == 0, "what is scaled are floats");
    pieces.push_back({r.at, r.bytes, r.factor, is_aligned(r.at)});
  }
  return pieces;
}

}  // namespace

ResetRanges::ResetRanges(Stream& stream, const std::vector<Range>& ranges)
    : stream_(stream),
      pieces_(stream, pieces_of(ranges), [](const RangePiece& p) { return (p.bytes + 15) / 16; }),
      reset_(*stream.device(), "reset_ranges") {}

void ResetRanges::run() const {
  reset_.run(stream_, pieces_.items(), {0, pieces_.pieces(), pieces_.tiles()});
}

}  // namespace hpmp::cuda
