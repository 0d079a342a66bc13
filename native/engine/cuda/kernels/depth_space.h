// Arguments of the moves between channels and pixels.
#pragma once

namespace hpmp::cuda {

/// deep: [n][h][w][c block block], wide: [n][h block][w block][c]; channel c block block + r block
/// + s of a deep pixel is channel c of pixel (r, s) of a wide block. One item per element.
struct DepthSpaceArgs {
  int items, block, h, w, c;
  int widens;  // from deep to wide; else from wide to deep
  const void* from;
  void* to;
  int accumulate;
};

}  // namespace hpmp::cuda
