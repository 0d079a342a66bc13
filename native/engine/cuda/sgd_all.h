// The update of every parameter of a rank in one launch.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/kernels/update.h"
#include "engine/cuda/tiles.h"

namespace hpmp::cuda {

class SgdAll {
 public:
  /// `ranges`: on the GPU.
  SgdAll(Stream& stream, const std::vector<UpdateRange>& ranges);

  /// `numbers`: on the GPU, read when the stream gets there.
  void run(const StepNumbers* numbers) const;
  std::size_t bytes() const { return pieces_.bytes(); }

 private:
  Stream& stream_;
  TiledPieces<SgdPiece> pieces_;
  PlainEntry<SgdAllArgs> sgd_;
};

}  // namespace hpmp::cuda
