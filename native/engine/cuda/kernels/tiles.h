// Work on many pieces of any sizes in one launch: pieces are cut into tiles of as many items as all
// tiles have, so that a thread finds its piece with one division and neighbours share it.
#pragma once

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

constexpr int kTileItems = 1024;

/// Items [first, first + kTileItems) of a piece; the last tile of a piece may reach beyond it.
struct Tile {
  int piece, first;
};

HPMP_DEVICE Tile tile_of(const Tile* tiles, int i) {
  Tile tile = tiles[i / kTileItems];
  tile.first += i % kTileItems;
  return tile;
}

}  // namespace hpmp::cuda
