// A message packed or unpacked in one launch, whatever pieces it has; or several messages.
#pragma once

#include "engine/cuda/kernels/pieces.h"
#include "engine/cuda/prepare.h"
#include "engine/cuda/tiles.h"

namespace hpmp::cuda {

class CopyPieces {
 public:
  /// Channels [image_first, image_first + count) of `image`, which is NHWC, and as many from
  /// wire_first on of `wire`, of any block; samples and pixels are the same. Rows of a parameter
  /// are a tensor of one pixel.
  struct Piece {
    TensorRef image;
    std::int64_t image_first;
    TensorRef wire;
    std::int64_t wire_first, count;
    bool to_image, accumulate = false;  // accumulate: in the image
  };

  /// All tensors of all pieces are the GPU's (or pinned) and stored as the target says. No two
  /// pieces may write the same elements.
  CopyPieces(const Target& target, const std::vector<Piece>& pieces);

  void run() const;
  std::size_t bytes() const { return pieces_.bytes(); }

 private:
  Stream& stream_;
  TiledPieces<CopyPiece> pieces_;
  NarrowEntry<CopyPiecesArgs> copy_;
};

}  // namespace hpmp::cuda
