#include "engine/cuda/sgd_all.h"

namespace hpmp::cuda {
namespace {

std::vector<SgdPiece> pieces_of(const std::vector<UpdateRange>& ranges) {
  std::vector<SgdPiece> pieces;
  for (const UpdateRange& r : ranges) {
    const bool wide = is_aligned(r.grad) && is_aligned(r.weight) && is_aligned(r.momentum);
    pieces.push_back({r.grad, r.weight, r.momentum, r.count, wide});
  }
  return pieces;
}

}  // namespace

SgdAll::SgdAll(Stream& stream, const std::vector<UpdateRange>& ranges)
    : stream_(stream),
      pieces_(stream, pieces_of(ranges), [](const SgdPiece& p) { return (p.count + 3) / 4; }),
      sgd_(*stream.device(), "sgd_all") {}

void SgdAll::run(const StepNumbers* numbers) const {
  sgd_.run(stream_, pieces_.items(), {0, pieces_.pieces(), pieces_.tiles(), numbers});
}

}  // namespace hpmp::cuda
