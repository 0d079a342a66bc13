// The gradient of a bias: sums of the output's gradient over samples and pixels.
#pragma once

#include "engine/cuda/column_sums.h"

namespace hpmp::cuda {

class BiasGrad {
 public:
  BiasGrad(const Target& target, std::int64_t rows, std::int64_t c)
      : stream_(target.stream),
        sums_(target, 1, rows, c),
        add_sums_(*stream_.device(), "add_sums") {}

  std::size_t scratch_bytes() const { return sums_.scratch_bytes(); }

  /// grad[c] += the sums of dy.
  void add(const TensorRef& dy, float* grad, std::byte* scratch) const {
    const SumPair* sums = sums_.run(kValues, dy.data, nullptr, scratch);
    add_sums_.run(stream_, dy.c, {0, static_cast<int>(dy.c), 0, sums, grad, nullptr});
  }

 private:
  Stream& stream_;
  ColumnSums sums_;
  PlainEntry<AddSumsArgs> add_sums_;
};

}  // namespace hpmp::cuda
