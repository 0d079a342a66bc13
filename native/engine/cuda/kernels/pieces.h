// Arguments of what packs and unpacks messages.
#pragma once

#include "engine/cuda/kernels/tiles.h"

namespace hpmp::cuda {

/// Channels [image_first, image_first + count) of an image [rows][image_c], and as many from
/// wire_first on of a message [samples][wire_c / block][pixels][block]. `wide`: 16 bytes at a time.
struct CopyPiece {
  void *image, *wire;
  int rows, pixels, image_c, image_first, wire_c, block, wire_first, count;
  int to_image, accumulate;  // accumulate: in the image
  int wide;
};

/// One item per element or, of a wide piece, per 16 bytes.
struct CopyPiecesArgs {
  int items;
  const CopyPiece* pieces;
  const Tile* tiles;
};

}  // namespace hpmp::cuda
