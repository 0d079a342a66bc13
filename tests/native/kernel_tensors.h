// Tensors as the kernel tests see them: whole float64 arrays, and a rank's stored part of one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "backend.h"
#include "check.h"
#include "engine/tensor.h"
#include "graph/graph.h"

namespace kernel_test {

using namespace hpmp;

/// A whole tensor in N,C,H,W order.
struct Array {
  std::int64_t n = 0;
  Shape shape;
  std::vector<double> data;

  Array() = default;
  Array(std::int64_t samples, Shape s)
      : n(samples), shape(s), data(static_cast<std::size_t>(samples * s.elems())) {}
  double& at(std::int64_t i, std::int64_t c, std::int64_t h = 0, std::int64_t w = 0) {
    return data[static_cast<std::size_t>(((i * shape.c + c) * shape.h + h) * shape.w + w)];
  }
  double at(std::int64_t i, std::int64_t c, std::int64_t h = 0, std::int64_t w = 0) const {
    return const_cast<Array*>(this)->at(i, c, h, w);
  }
};

using Arrays = std::vector<Array>;
using Params = std::vector<std::vector<double>>;

inline std::mt19937& generator() {
  static std::mt19937 g(1);
  return g;
}

/// The number that a tensor of `dtype` holds for x.
inline double stored(double x, DType dtype) {
  const auto value = static_cast<float>(x);
  return dtype == DType::bf16 ? static_cast<float>(Bf16(value)) : value;
}

/// Exact in float, so that both sides start from the same numbers.
inline double draw(double low = -2, double high = 2) {
  return static_cast<float>(std::uniform_real_distribution<>(low, high)(generator()));
}

/// Bytes at a cache line, with a guard behind them that must survive.
class Memory {
 public:
  explicit Memory(std::size_t bytes) : bytes_(bytes), data_(bytes + 128, std::byte{0xff}) {}
  std::byte* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(data_.data());
    return data_.data() + (64 - address % 64) % 64;
  }
  void check_guard() {
    for (std::size_t k = 0; k < 64; ++k) CHECK(data()[bytes_ + k] == std::byte{0xff});
  }

 private:
  std::size_t bytes_;
  std::vector<std::byte> data_;
};

/// A rank's tensor: some channels of an Array, in some block. Starts as NaN (0xff bytes).
struct Tensor {
  Ranges channels;
  Memory memory;
  TensorRef ref;

  Tensor(const Array& like, const Ranges& c, std::int64_t block, DType dtype = DType::fp32)
      : channels(c),
        memory(static_cast<std::size_t>(like.n * total_size(c) * like.shape.h * like.shape.w *
                                        elem_bytes(dtype))) {
    ref = {memory.data(), like.n,       total_size(c),
           like.shape.h,  like.shape.w, block ? block : channel_block(total_size(c)),
           dtype};
    CHECK(ref.c % ref.block == 0);
  }
  double value(std::int64_t at) const { return value_of(ref, at); }
  static double value_of(const TensorRef& t, std::int64_t at) {
    return with_storage(t.dtype, [&](auto type) -> double {
      return static_cast<const decltype(type)*>(t.data)[at];
    });
  }
  void put(std::int64_t at, double x) {
    with_storage(ref.dtype, [&](auto type) {
      using T = decltype(type);
      static_cast<T*>(ref.data)[at] = T(static_cast<float>(x));
    });
  }
  template <class F>
  void each(const F& f) const {  // f(sample, global channel, pixel, offset)
    std::int64_t packed = 0;
    for (Range r : channels) {
      for (std::int64_t c = r.begin; c < r.end; ++c, ++packed) {
        for (std::int64_t i = 0; i < ref.n; ++i) {
          for (std::int64_t p = 0; p < ref.pixels(); ++p) f(i, c, p, ref.at(i, packed, p));
        }
      }
    }
  }
  void set(const Array& a) {
    each([&](auto i, auto c, auto p, auto at) { put(at, a.at(i, c, p / ref.w, p % ref.w)); });
  }
  void fill(double x) {
    for (std::int64_t at = 0; at < ref.elems(); ++at) put(at, x);
  }
};

/// The blocks that a tensor of c channels may have.
inline std::vector<std::int64_t> blocks_of(std::int64_t c) {
  std::vector<std::int64_t> blocks{c};
  if (on_gpu()) return blocks;
  for (std::int64_t b : {1, 8, 16}) {
    if (c % b == 0 && b != c) blocks.push_back(b);
  }
  return blocks;
}

}  // namespace kernel_test
