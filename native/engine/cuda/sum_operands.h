// Sums of tensors of one shape, and copies: what add, dropout and output have in common.
#pragma once

#include <vector>

#include "engine/cuda/kernels/elementwise.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

class SumOperands {
 public:
  explicit SumOperands(const Target& target)
      : stream_(target.stream), entry_(*stream_.device(), "sum_operands", target.storage) {}

  /// y = the sum; y may be the first operand.
  void sum(const std::vector<TensorRef>& operands, const TensorRef& y) const;
  /// to (=|+=) from. Nothing to do where `to` is not wanted (null) or is `from` itself.
  void copy(const TensorRef& from, const TensorRef& to, bool accumulate) const;

 private:
  void run(SumArgs args, const TensorRef& y) const;

  Stream& stream_;
  WideEntry<SumArgs> entry_;
};

}  // namespace hpmp::cuda
