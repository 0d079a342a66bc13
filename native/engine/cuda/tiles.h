// Cuts pieces into the tiles of kernels/tiles.h.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/cuda/entry.h"
#include "engine/cuda/kernels/tiles.h"
#include "engine/cuda/table.h"

namespace hpmp::cuda {

/// Pieces and their tiles on the GPU, both made once.
template <class Piece>
class TiledPieces {
 public:
  /// items_of(piece): what the kernel counts as items of it.
  template <class ItemsOf>
  TiledPieces(Stream& stream, const std::vector<Piece>& pieces, const ItemsOf& items_of)
      : pieces_(stream, pieces), tiles_(stream, tiles_of(pieces, items_of)) {}

  const Piece* pieces() const { return pieces_.data(); }
  const Tile* tiles() const { return tiles_.data(); }
  /// What the kernel is launched with.
  std::int64_t items() const { return static_cast<std::int64_t>(tiles_.count()) * kTileItems; }
  std::size_t bytes() const { return pieces_.bytes() + tiles_.bytes(); }

 private:
  template <class ItemsOf>
  static std::vector<Tile> tiles_of(const std::vector<Piece>& pieces, const ItemsOf& items_of) {
    std::vector<Tile> tiles;
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      const std::int64_t items = items_of(pieces[k]);
      for (std::int64_t first = 0; first < items; first += kTileItems)
        tiles.push_back({static_cast<int>(k), item_count(first)});
    }
    return tiles;
  }

  Table<Piece> pieces_;
  Table<Tile> tiles_;
};

}  // namespace hpmp::cuda
