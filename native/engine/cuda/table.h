// Numbers that are worked out once on the host and kept on the GPU.
#pragma once

#include <vector>

#include "engine/cuda/stream.h"

namespace hpmp::cuda {

template <class T>
class Table {
 public:
  Table(Stream& stream, const std::vector<T>& rows)
      : count_(rows.size()), memory_(stream.device(), rows.size() * sizeof(T), "a table") {
    stream.to_device(memory_.data(), rows.data(), memory_.bytes());
    stream.synchronize();  // `rows` may go
  }

  const T* data() const { return reinterpret_cast<const T*>(memory_.data()); }
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  std::size_t count_;
  DeviceBytes memory_;
};

}  // namespace hpmp::cuda
