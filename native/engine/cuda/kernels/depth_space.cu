// Moves between channels and pixels.
#include "engine/cuda/kernels/depth_space.h"

#include "engine/cuda/kernels/portable.h"
#include "engine/cuda/kernels/windows.h"

namespace hpmp::cuda {

/// The deep element that is wide element i.
HPMP_DEVICE long long deep_of(const DepthSpaceArgs& a, int i) {
  const PixelPlace at = pixel_place<1>(i, a.c, a.h * a.block, a.w * a.block);
  const long long pixel =
      (static_cast<long long>(at.n) * a.h + at.h / a.block) * a.w + at.w / a.block;
  const int cell = at.h % a.block * a.block + at.w % a.block;
  return (pixel * a.c + at.channel) * a.block * a.block + cell;
}

/// The wide element that is deep element i.
HPMP_DEVICE long long wide_of(const DepthSpaceArgs& a, int i) {
  const int cells = a.block * a.block;
  const PixelPlace at = pixel_place<1>(i, a.c * cells, a.h, a.w);
  const int cell = at.channel % cells;
  const long long row = (static_cast<long long>(at.n) * a.h + at.h) * a.block + cell / a.block;
  const long long pixel = (row * a.w + at.w) * a.block + cell % a.block;
  return pixel * a.c + at.channel / cells;
}

template <class T, int V>
HPMP_DEVICE void depth_space(const DepthSpaceArgs& a, int i) {
  const long long from = a.widens ? deep_of(a, i) : wide_of(a, i);
  put<T, 1>(a.to, i, load<T, 1>(a.from, from), a.accumulate);
}
HPMP_NARROW_KERNEL(depth_space, DepthSpaceArgs)

}  // namespace hpmp::cuda
