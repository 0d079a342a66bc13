// One GPU: its primary context, the kernels' module, memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/cuda/driver.h"
#include "engine/engine.h"

namespace hpmp::cuda {

class Device {
 public:
  /// Retains the primary context, which it shares with whatever else uses the GPU in this process,
  /// and makes it the thread's. `memory`: where DeviceBytes come from. Errors: `device_error`;
  /// `invalid_argument` where there are fewer.
  static std::shared_ptr<Device> open(int ordinal, const GpuMemory& memory = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Driver& driver() const { return driver_; }
  const std::string& name() const { return name_; }
  /// The driver's.
  int number() const { return device_; }
  int processors() const { return processors_; }
  /// Of the calling thread.
  void make_current() const;
  /// The same in destructors, which any thread may run.
  void use_in_destructor() const noexcept;
  /// Null where there is no more; `result` is the driver's.
  std::byte* allocate(std::size_t bytes, Result& result) const;
  /// In any thread.
  void release(std::byte* data) const noexcept;
  /// A kernel of kernels/*.cu by its symbol. Errors: `device_error`.
  void* function(const std::string& symbol) const;

 private:
  Device(int ordinal, const GpuMemory& memory);
  void load_module();

  const Driver& driver_;
  GpuMemory memory_;
  int device_ = 0, processors_ = 1;
  std::string name_;
  void *context_ = nullptr, *module_ = nullptr;
};

/// Memory of a GPU, 256-byte aligned; undefined at first.
class DeviceBytes {
 public:
  DeviceBytes() = default;
  /// Errors: `out_of_memory` naming what and how much.
  DeviceBytes(std::shared_ptr<const Device> device, std::size_t bytes, const char* what);
  ~DeviceBytes();
  DeviceBytes(DeviceBytes&& other) noexcept { swap(other); }
  DeviceBytes& operator=(DeviceBytes&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(DeviceBytes& other) noexcept;

  std::shared_ptr<const Device> device_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Memory of the host that copies to and from the GPU need not stage.
class PinnedBytes {
 public:
  PinnedBytes(std::shared_ptr<const Device> device, std::size_t bytes);
  ~PinnedBytes();
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::shared_ptr<const Device> device_;
  std::byte* data_ = nullptr;
};

}  // namespace hpmp::cuda
