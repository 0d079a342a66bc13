// The numbers of a step on the GPU, given anew before each.
#pragma once

#include "engine/cuda/kernels/step.h"
#include "engine/cuda/stream.h"

namespace hpmp::cuda {

class StepMemory {
 public:
  explicit StepMemory(std::shared_ptr<const Device> device)
      : on_host_(device, sizeof(StepNumbers)), on_device_(device, sizeof(StepNumbers), "a step") {}

  /// The stream must have passed the copy before this is called again. Not for captured runs.
  void set(Stream& stream, const StepNumbers& numbers) {
    *reinterpret_cast<StepNumbers*>(on_host_.data()) = numbers;
    stream.to_device(on_device_.data(), on_host_.data(), sizeof numbers);
  }
  /// What kernels are given (StepInfo::numbers).
  const StepNumbers* data() const {
    return reinterpret_cast<const StepNumbers*>(on_device_.data());
  }

 private:
  PinnedBytes on_host_;
  DeviceBytes on_device_;
};

}  // namespace hpmp::cuda
