#include "engine/cuda/device.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "engine/cuda/kernel_image.h"

namespace hpmp::cuda {
namespace {

constexpr int kMultiprocessors = 16, kMajor = 75, kMinor = 76;  // CUdevice_attribute

DeviceAddress address_of(const void* data) { return reinterpret_cast<DeviceAddress>(data); }

}  // namespace

std::shared_ptr<Device> Device::open(int ordinal, const GpuMemory& memory) {
  return std::shared_ptr<Device>(new Device(ordinal, memory));
}

Device::Device(int ordinal, const GpuMemory& memory) : driver_(cuda::driver()), memory_(memory) {
  int count = 0;
  check(driver_, driver_.device_count(&count), "count the GPUs");
  if (ordinal < 0 || ordinal >= count)
    fail(ErrorCode::invalid_argument, "there is no GPU " + std::to_string(ordinal) +
                                          ": this "
                                          "process sees " +
                                          std::to_string(count) + "; see CUDA_VISIBLE_DEVICES");
  check(driver_, driver_.device_get(&device_, ordinal), "find the GPU");
  char name[256] = {};
  check(driver_, driver_.device_name(name, sizeof name, device_), "name the GPU");
  name_ = name;
  check(driver_, driver_.device_attribute(&processors_, kMultiprocessors, device_),
        "count the GPU's multiprocessors");
  check(driver_, driver_.context_retain(&context_, device_), "use the GPU");
  try {
    load_module();
  } catch (...) {
    driver_.context_release(device_);
    throw;
  }
}

void Device::load_module() {
  make_current();
  int major = 0, minor = 0;
  check(driver_, driver_.device_attribute(&major, kMajor, device_), "ask what the GPU computes");
  check(driver_, driver_.device_attribute(&minor, kMinor, device_), "ask what the GPU computes");
  const std::string image = kernel_image(major, minor);
  check(driver_, driver_.module_load(&module_, image.data()), "load the kernels on the GPU");
}

Device::~Device() {
  driver_.context_use(context_);
  driver_.module_unload(module_);
  driver_.context_release(device_);
}

void Device::make_current() const {
  check(driver_, driver_.context_use(context_), "use the GPU in this thread");
}

void Device::use_in_destructor() const noexcept { driver_.context_use(context_); }

std::byte* Device::allocate(std::size_t bytes, Result& result) const {
  bytes = std::max<std::size_t>(bytes, 1);
  if (memory_.allocate != nullptr) {
    void* data = memory_.allocate(memory_.context, bytes);
    result = data == nullptr ? kOutOfMemory : 0;
    return static_cast<std::byte*>(data);
  }
  DeviceAddress address = 0;
  result = driver_.allocate(&address, bytes);
  return reinterpret_cast<std::byte*>(address);
}

void Device::release(std::byte* data) const noexcept {
  use_in_destructor();
  if (memory_.release != nullptr)
    memory_.release(memory_.context, data);
  else
    driver_.free(address_of(data));
}

void* Device::function(const std::string& symbol) const {
  void* found = nullptr;
  check(driver_, driver_.module_function(&found, module_, symbol.c_str()),
        ("find kernel '" + symbol + "'").c_str());
  return found;
}

DeviceBytes::DeviceBytes(std::shared_ptr<const Device> device, std::size_t bytes, const char* what)
    : device_(std::move(device)), bytes_(bytes) {
  Result result = 0;
  data_ = device_->allocate(bytes, result);
  check(device_->driver(), result,
        ("allocate " + std::to_string(bytes) + " bytes on the GPU for " + what).c_str());
}

DeviceBytes::~DeviceBytes() {
  if (data_ != nullptr) device_->release(data_);
}

void DeviceBytes::swap(DeviceBytes& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

PinnedBytes::PinnedBytes(std::shared_ptr<const Device> device, std::size_t bytes)
    : device_(std::move(device)) {
  void* data = nullptr;
  check(device_->driver(),
        device_->driver().allocate_host(&data, std::max<std::size_t>(bytes, 1), 0),
        ("allocate " + std::to_string(bytes) + " bytes of pinned memory").c_str());
  data_ = static_cast<std::byte*>(data);
}

PinnedBytes::~PinnedBytes() {
  device_->use_in_destructor();
  device_->driver().free_host(data_);
}

}  // namespace hpmp::cuda
