#include "engine/cuda/copy_pieces.h"

#include <numeric>

#include "engine/cuda/kernels.h"

namespace hpmp::cuda {
namespace {

/// Whether vectors of `width` channels begin at a multiple of it wherever the piece has them.
bool is_wide(const CopyPieces::Piece& p, std::int64_t width) {
  std::int64_t run = width;
  for (std::int64_t part :
       {p.count, p.image.c, p.image_first, p.wire.c, p.wire.block, p.wire_first})
    run = std::gcd(run, part);
  return run == width && is_aligned(p.image.data) && is_aligned(p.wire.data);
}

CopyPiece described(const CopyPieces::Piece& p, const Target& target) {
  ensure_nhwc(p.image);
  ensure(p.image.n == p.wire.n && p.image.pixels() == p.wire.pixels(),
         "a piece has the samples and pixels of its message");
  ensure(p.to_image || !p.accumulate, "messages are written, not added to");
  return {p.image.data,
          p.wire.data,
          item_count(rows_of(p.image)),
          static_cast<int>(p.image.pixels()),
          item_count(p.image.c),
          item_count(p.image_first),
          item_count(p.wire.c),
          item_count(p.wire.block),
          item_count(p.wire_first),
          item_count(p.count),
          p.to_image,
          p.accumulate,
          is_wide(p, wide_elems(target.storage))};
}

std::vector<CopyPiece> pieces_of(const std::vector<CopyPieces::Piece>& pieces,
                                 const Target& target) {
  std::vector<CopyPiece> all;
  for (const CopyPieces::Piece& p : pieces) all.push_back(described(p, target));
  return all;
}

}  // namespace

CopyPieces::CopyPieces(const Target& target, const std::vector<Piece>& pieces)
    : stream_(target.stream),
      pieces_(target.stream, pieces_of(pieces, target),
              [&](const CopyPiece& p) {
                const std::int64_t width = p.wide ? wide_elems(target.storage) : 1;
                return std::int64_t{p.rows} * (p.count / width);
              }),
      copy_(*stream_.device(), "copy_pieces", target.storage) {}

void CopyPieces::run() const {
  copy_.run(stream_, pieces_.items(), {0, pieces_.pieces(), pieces_.tiles()});
}

}  // namespace hpmp::cuda
