// Messages packed and unpacked, all pieces at once.
#include "engine/cuda/kernels/pieces.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

template <class T, int V>
HPMP_DEVICE void copy_piece(const CopyPiece& p, int i) {
  const int vectors = p.count / V, k = i % vectors * V, row = i / vectors;
  if (row >= p.rows) return;  // of the last tile
  const int channel = p.wire_first + k, sample = row / p.pixels, pixel = row % p.pixels;
  const long long block = static_cast<long long>(sample) * (p.wire_c / p.block) + channel / p.block;
  const long long wire = (block * p.pixels + pixel) * p.block + channel % p.block;
  const long long image = static_cast<long long>(row) * p.image_c + p.image_first + k;
  if (p.to_image) return put<T, V>(p.image, image, load<T, V>(p.wire, wire), p.accumulate);
  store<T, V>(p.wire, wire, load<T, V>(p.image, image));
}

template <class T, int V>
HPMP_DEVICE void copy_pieces(const CopyPiecesArgs& a, int i) {
  const Tile tile = tile_of(a.tiles, i);
  const CopyPiece& piece = a.pieces[tile.piece];
  if (piece.wide) return copy_piece<T, 16 / sizeof(T)>(piece, tile.first);
  copy_piece<T, 1>(piece, tile.first);
}
HPMP_NARROW_KERNEL(copy_pieces, CopyPiecesArgs)

}  // namespace hpmp::cuda
