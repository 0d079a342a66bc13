// The update of every parameter of a rank in one launch.
#pragma once

#include "engine/cuda/kernels/update.h"
#include "engine/cuda/tiles.h"
#include "engine/optimizer.h"

namespace hpmp::cuda {

class UpdateAll {
 public:
  /// `ranges`: on the GPU.
  UpdateAll(Stream& stream, const std::vector<UpdateRange>& ranges);

  /// `numbers`: on the GPU, read when the stream gets there.
  void run(const StepNumbers* numbers) const;
  std::size_t bytes() const { return pieces_.bytes(); }

 private:
  Stream& stream_;
  TiledPieces<UpdatePiece> pieces_;
  PlainEntry<UpdateAllArgs> update_;
};

}  // namespace hpmp::cuda
