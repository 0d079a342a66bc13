// The layout rule and the copy of channels between any two layouts.
#include "engine/tensor.h"

#include <algorithm>

#include "engine/cpu/isa.h"
#include "engine/cpu/loops.h"

namespace hpmp {

namespace {

std::int64_t vector_width() { return cpu::has_avx512() ? 16 : 8; }

/// Channels that are neighbours in a pixel of both tensors.
template <class To, class From>
void copy_run(const TensorRef& dst, To* to, const TensorRef& src, const From* from, int run,
              bool accumulate) {
  cpu::with_width(run, [&](auto width) {
    cpu::with_flag(accumulate, [&](auto add) {
      for (std::int64_t p = 0; p < dst.pixels(); ++p, to += dst.block, from += src.block) {
#pragma omp simd
        for (int j = 0; j < width; ++j) cpu::put(to[j], static_cast<float>(from[j]), add);
      }
    });
  });
}

/// Planes: all pixels of all channels are neighbours.
template <class To, class From>
void copy_planes(To* to, const From* from, std::int64_t count, bool accumulate) {
  cpu::with_flag(accumulate, [&](auto add) {
#pragma omp simd
    for (std::int64_t k = 0; k < count; ++k) cpu::put(to[k], static_cast<float>(from[k]), add);
  });
}

template <class To, class From>
void copy_channels_of(const TensorOf<To>& dst, std::int64_t dst_c, const TensorOf<From>& src,
                      std::int64_t src_c, std::int64_t count, bool accumulate) {
  const bool parallel = dst.n * count * dst.pixels() >= cpu::kMinParallelElems;
  cpu::parallel_for(dst.n, parallel, [&](std::int64_t i) {
    if (dst.block == 1 && src.block == 1) {
      return copy_planes(dst.data + dst.at(i, dst_c, 0), src.data + src.at(i, src_c, 0),
                         count * dst.pixels(), accumulate);
    }
    for (std::int64_t c = 0; c < count;) {
      const std::int64_t run =
          std::min({count - c, dst.block - (dst_c + c) % dst.block,
                    src.block - (src_c + c) % src.block, std::int64_t{cpu::kLanes}});
      copy_run(dst, dst.data + dst.at(i, dst_c + c, 0), src, src.data + src.at(i, src_c + c, 0),
               static_cast<int>(run), accumulate);
      c += run;
    }
  });
}

}  // namespace

std::int64_t channel_block(std::int64_t c) {
  return c % vector_width() == 0 ? vector_width() : std::max<std::int64_t>(c, 1);
}

std::int64_t preferred_input_block(std::int64_t c) {
  return c % vector_width() == 0 ? vector_width() : 1;
}

void copy_channels(const TensorRef& dst, std::int64_t dst_c, const TensorRef& src,
                   std::int64_t src_c, std::int64_t count, bool accumulate) {
  with_storage(dst.dtype, [&](auto to) {
    with_storage(src.dtype, [&](auto from) {
      copy_channels_of(TensorOf<decltype(to)>(dst), dst_c, TensorOf<decltype(from)>(src), src_c,
                       count, accumulate);
    });
  });
}

}  // namespace hpmp
