// A rank-local activation tensor as the kernels see it.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/error.h"
#include "engine/bf16.h"

namespace hpmp {

/// Layout [n][c / block][h][w][block]: block 1 is NCHW, block c is NHWC, block 16 is nChw16c. A
/// pointer into an arena; owns nothing. `c` is always a multiple of `block`.
struct TensorRef {
  void* data = nullptr;
  std::int64_t n = 0, c = 0, h = 1, w = 1;
  std::int64_t block = 1;
  DType dtype = DType::fp32;

  std::int64_t elems() const { return n * c * h * w; }
  std::int64_t bytes() const { return elems() * elem_bytes(dtype); }
  std::int64_t pixels() const { return h * w; }
  std::int64_t blocks() const { return c / block; }
  /// Offset of element (n, channel, pixel) in elements.
  std::int64_t at(std::int64_t i, std::int64_t channel, std::int64_t pixel) const {
    return ((i * blocks() + channel / block) * pixels() + pixel) * block + channel % block;
  }
};

/// The same with typed data, float or Bf16.
template <class T>
struct TensorOf : TensorRef {
  explicit TensorOf(const TensorRef& t) : TensorRef(t), data(static_cast<T*>(t.data)) {
    ensure(!data || dtype == kStoredAs<T>, "a kernel gets tensors of the type it is prepared for");
  }
  T* data;
};

/// The block that the engine uses for a tensor of `c` channels: the vector width where it divides
/// c, otherwise c (NHWC).
std::int64_t channel_block(std::int64_t c);

/// The block of network inputs, which first convolutions like best: the vector width where it
/// divides c, otherwise 1 (NCHW).
std::int64_t preferred_input_block(std::int64_t c);

/// dst[:, dst_c + i] (=|+=) src[:, src_c + i] for i < count; any blocks, any types.
void copy_channels(const TensorRef& dst, std::int64_t dst_c, const TensorRef& src,
                   std::int64_t src_c, std::int64_t count, bool accumulate);

}  // namespace hpmp
