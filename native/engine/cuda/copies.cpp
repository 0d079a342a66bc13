#include "engine/cuda/copies.h"

#include <numeric>

#include "engine/cuda/kernels.h"

namespace hpmp::cuda {

Copies::Copies(const Target& target)
    : stream_(target.stream),
      channels_(*stream_.device(), "copy_channels", target.storage),
      take_(*stream_.device(), "take_plain", target.storage),
      give_(*stream_.device(), "give_plain", target.storage) {}

void Copies::channels(const TensorRef& to, std::int64_t to_c, const TensorRef& from,
                      std::int64_t from_c, std::int64_t count, bool accumulate) const {
  ensure_nhwc(to);
  ensure_nhwc(from);
  // A vector must begin at a multiple of its width on both sides, in every row.
  std::int64_t run = std::gcd(std::gcd(count, to.c), from.c);
  run = std::gcd(std::gcd(run, to_c), from_c);
  channels_.run(stream_, rows_of(to) * count, run, {to.data, from.data},
                {0, static_cast<int>(count), static_cast<int>(from.c), static_cast<int>(from_c),
                 static_cast<int>(to.c), static_cast<int>(to_c), from.data, to.data, accumulate});
}

void Copies::from_plain(const TensorRef& to, std::int64_t to_c, const void* plain,
                        std::int64_t plain_channels, std::int64_t plain_c,
                        std::int64_t count) const {
  ensure_nhwc(to);
  take_.run(
      stream_, rows_of(to) * count,
      {0, static_cast<int>(to.pixels()), static_cast<int>(count), static_cast<int>(plain_channels),
       static_cast<int>(plain_c), static_cast<int>(to.c), static_cast<int>(to_c), plain, to.data});
}

void Copies::to_plain(void* plain, std::int64_t plain_channels, std::int64_t plain_c,
                      const TensorRef& from, std::int64_t from_c, std::int64_t count) const {
  ensure_nhwc(from);
  give_.run(stream_, rows_of(from) * count,
            {0, static_cast<int>(from.pixels()), static_cast<int>(count),
             static_cast<int>(plain_channels), static_cast<int>(plain_c), static_cast<int>(from.c),
             static_cast<int>(from_c), from.data, plain});
}

}  // namespace hpmp::cuda
