// Plans of a convolution timed on the GPU, on zeros.
#pragma once

#include <deque>
#include <functional>

#include "engine/cuda/conv_plans.h"

namespace hpmp::cuda {

class ConvRehearsal {
 public:
  using Run = std::function<void(const ConvOperands&, std::byte* workspace)>;

  /// Takes memory for all that a plan of the spec reads and writes.
  ConvRehearsal(Stream& stream, const ConvPlanSpec& spec);

  /// Of the fastest of a few runs, in microseconds.
  double time(std::size_t workspace_bytes, const Run& run);

 private:
  const void* zeros(std::int64_t elems);

  Stream& stream_;
  std::deque<DeviceBytes> memory_;
  ConvOperands operands_;
};

}  // namespace hpmp::cuda
