// The update of every parameter of a rank in one launch.
#pragma once

#include "engine/cuda/kernels/update.h"
#include "engine/cuda/tiles.h"

namespace hpmp::cuda {

class SgdAll {
 public:
  /// Rows that lie together: gradient, weight and momentum of the same elements, on the GPU.
  struct Rows {
    const float* grad;
    float *weight, *velocity;
    std::int64_t count;
  };

  SgdAll(Stream& stream, const std::vector<Rows>& rows);

  /// `numbers`: on the GPU, read when the stream gets there.
  void run(const StepNumbers* numbers) const;
  std::size_t bytes() const { return pieces_.bytes(); }

 private:
  Stream& stream_;
  TiledPieces<SgdPiece> pieces_;
  PlainEntry<SgdAllArgs> sgd_;
};

}  // namespace hpmp::cuda
