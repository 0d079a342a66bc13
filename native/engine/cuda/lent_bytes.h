// Memory that other processes can open. What they have opened must not be freed before they have
// closed it, which nobody here can know: it is kept until the process ends, and used again.
#pragma once

#include "engine/cuda/device.h"

namespace hpmp::cuda {

class LentBytes {
 public:
  /// Of the driver's own, whatever the device's memory is; at least `bytes`, undefined at first.
  /// Errors: `out_of_memory`.
  LentBytes(std::shared_ptr<const Device> device, std::size_t bytes);
  ~LentBytes();
  LentBytes(const LentBytes&) = delete;
  LentBytes& operator=(const LentBytes&) = delete;

  std::byte* data() const { return block_.data; }
  std::size_t bytes() const { return block_.bytes; }
  /// Another process has it open.
  void keep() { kept_ = true; }

 private:
  struct Block {
    std::shared_ptr<const Device> device;  // its context owns the memory
    std::byte* data = nullptr;
    std::size_t bytes = 0;
  };
  struct Shelf;

  Block block_;
  bool kept_ = false;
};

}  // namespace hpmp::cuda
