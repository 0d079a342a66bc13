#include "engine/cuda/update_all.h"

namespace hpmp::cuda {
namespace {

UpdatePiece piece_of(const UpdateRange& r) {
  UpdatePiece piece{r.grad, r.weight, {}, r.count, is_aligned(r.grad) && is_aligned(r.weight)};
  for (int k = 0; k < kMostStates; ++k) {
    piece.state[k] = r.state[k];
    if (!is_aligned(r.state[k])) piece.wide = false;
  }
  return piece;
}

std::vector<UpdatePiece> pieces_of(const std::vector<UpdateRange>& ranges) {
  std::vector<UpdatePiece> pieces;
  for (const UpdateRange& r : ranges) pieces.push_back(piece_of(r));
  return pieces;
}

}  // namespace

UpdateAll::UpdateAll(Stream& stream, const std::vector<UpdateRange>& ranges)
    : stream_(stream),
      pieces_(stream, pieces_of(ranges), [](const UpdatePiece& p) { return (p.count + 3) / 4; }),
      update_(*stream.device(), "update_all") {}

void UpdateAll::run(const StepNumbers* numbers) const {
  update_.run(stream_, pieces_.items(), {0, pieces_.pieces(), pieces_.tiles(), numbers});
}

}  // namespace hpmp::cuda
