// A number per channel, kept on the GPU.
#pragma once

#include <vector>

#include "engine/cuda/stream.h"

namespace hpmp::cuda {

class ChannelTable {
 public:
  ChannelTable(Stream& stream, const std::vector<int>& numbers)
      : memory_(stream.device(), numbers.size() * sizeof(int), "a table of channels") {
    stream.to_device(memory_.data(), numbers.data(), memory_.bytes());
    stream.synchronize();  // `numbers` may go
  }

  const int* data() const { return reinterpret_cast<const int*>(memory_.data()); }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  DeviceBytes memory_;
};

}  // namespace hpmp::cuda
