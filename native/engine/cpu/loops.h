// Parallel loops over samples and chunks of channels: the shape of every hand-written kernel.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "engine/tensor.h"

namespace hpmp::cpu {

/// Below this many elements a team of threads costs more than it saves.
constexpr std::int64_t kMinParallelElems = 8192;

inline std::int64_t thread_count() { return omp_get_max_threads(); }

/// Not parallel means no region at all: inside even a serial one, libgomp starts new threads for
/// every region of the body.
template <class Body>
void parallel_for(std::int64_t count, bool parallel, const Body& body) {
  if (!parallel || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

/// body(begin, end) over pieces of [0, total).
template <class Body>
void for_elems(std::int64_t total, const Body& body) {
  constexpr std::int64_t kPiece = 4096;
  parallel_for((total + kPiece - 1) / kPiece, total >= kMinParallelElems, [&](std::int64_t piece) {
    body(piece * kPiece, std::min(total, (piece + 1) * kPiece));
  });
}

/// Channels per chunk: one cache line.
constexpr int kLanes = 16;

/// Up to 16 adjacent channels of one block: contiguous in a pixel, `block` floats from pixel to
/// pixel.
struct Chunk {
  std::int64_t channel;
  int width;
};

/// The chunks of a tensor's channels, whatever its block.
class Chunks {
 public:
  explicit Chunks(const TensorRef& t)
      : block_(t.block), per_block_((t.block + kLanes - 1) / kLanes), blocks_(t.blocks()) {}
  std::int64_t count() const { return blocks_ * per_block_; }
  Chunk operator[](std::int64_t k) const {
    const std::int64_t lane = k % per_block_ * kLanes;
    return {k / per_block_ * block_ + lane,
            static_cast<int>(std::min<std::int64_t>(kLanes, block_ - lane))};
  }

 private:
  std::int64_t block_, per_block_, blocks_;
};

/// body(sample, chunk), in parallel.
template <class Body>
void for_chunks(const TensorRef& t, const Body& body) {
  const Chunks chunks(t);
  const std::int64_t count = chunks.count();
  parallel_for(t.n * count, t.elems() >= kMinParallelElems,
               [&](std::int64_t k) { body(k / count, chunks[k % count]); });
}

/// body(sample, pixel), in parallel.
template <class Body>
void for_pixels(const TensorRef& t, const Body& body) {
  parallel_for(t.n * t.pixels(), t.elems() >= kMinParallelElems,
               [&](std::int64_t k) { body(k / t.pixels(), k % t.pixels()); });
}

/// Calls f with the width as a compile-time constant where it is a usual one.
template <class F>
void with_width(int width, const F& f) {
  if (width == 16) return f(std::integral_constant<int, 16>{});
  if (width == 8) return f(std::integral_constant<int, 8>{});
  f(width);
}

/// Zero in `width` elements of each of `pixels` pixels, which lie `stride` elements apart.
template <class T, class Width>
void clear_pixels(T* to, std::int64_t pixels, std::int64_t stride, Width width) {
  for (std::int64_t p = 0; p < pixels; ++p, to += stride) std::fill_n(to, int{width}, T(0.F));
}

/// Calls f with the flag as a compile-time constant.
template <class F>
void with_flag(bool flag, const F& f) {
  flag ? f(std::true_type{}) : f(std::false_type{});
}

/// at = value, or at += value.
template <class Accumulate>
void put(float& at, float value, Accumulate) {
  if constexpr (Accumulate::value) {
    at += value;
  } else {
    at = value;
  }
}
/// Sets the bits alone: loops that copy a whole Bf16 do not vectorise.
template <class Accumulate>
void put(Bf16& at, float value, Accumulate) {
  if constexpr (Accumulate::value) value += at;
  at.bits = Bf16::rounded(value);
}
/// at = value, which T holds without rounding: what is chosen of stored values.
inline void put_held(float& at, float value) { at = value; }
inline void put_held(Bf16& at, float value) {
  at.bits = static_cast<std::uint16_t>(__builtin_bit_cast(std::uint32_t, value) >> 16);
}
/// at = value.
template <class T>
void put(T& at, float value) {
  put(at, value, std::false_type{});
}

}  // namespace hpmp::cpu
