// Many ranges of memory cleared or scaled.
#include "engine/cuda/kernels/ranges.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

/// The bytes of an item that is not whole, or not aligned.
HPMP_DEVICE void reset_bytes(const RangePiece& piece, long long at, long long end) {
  for (long long k = at; piece.factor == 0.f && k < end; ++k)
    static_cast<unsigned char*>(piece.at)[k] = 0;
  for (long long k = at / 4; piece.factor != 0.f && k < end / 4; ++k)
    static_cast<float*>(piece.at)[k] *= piece.factor;
}

HPMP_DEVICE void reset_ranges(const RangesArgs& a, int i) {
  constexpr int kWide = 4, kBytes = 16;
  const Tile tile = tile_of(a.tiles, i);
  const RangePiece& piece = a.pieces[tile.piece];
  const long long at = static_cast<long long>(tile.first) * kBytes;
  if (!piece.wide || at + kBytes > piece.bytes)
    return reset_bytes(piece, at, at + kBytes < piece.bytes ? at + kBytes : piece.bytes);
  Floats<kWide> x{};
  if (piece.factor != 0.f) x = load<float, kWide>(piece.at, at / 4);
  for (int j = 0; j < kWide; ++j) x[j] *= piece.factor;
  store<float, kWide>(piece.at, at / 4, x);
}
HPMP_PLAIN_KERNEL(reset_ranges, RangesArgs)

}  // namespace hpmp::cuda
