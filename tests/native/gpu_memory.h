// Arrays and tensors of a test on the GPU: guarded, poisoned, NHWC there whatever they are here.
#pragma once

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "engine/cuda/stream.h"
#include "engine/tensor.h"

namespace kernel_test {

using hpmp::TensorRef;

/// The GPU of the tests and the one stream that they use.
struct Gpu {
  std::shared_ptr<hpmp::cuda::Device> device = hpmp::cuda::Device::open(0);
  hpmp::cuda::Stream stream{device};

  static Gpu& get() {
    static Gpu gpu;
    return gpu;
  }
};

/// Bytes on the GPU with a guard behind them; all 0xff at first, which is NaN.
class GpuBytes {
 public:
  explicit GpuBytes(std::size_t bytes)
      : bytes_(bytes), memory_(Gpu::get().device, bytes + kGuard, "a test") {
    poison();
  }

  std::byte* data() const { return memory_.data(); }
  std::size_t bytes() const { return bytes_; }
  void poison() { Gpu::get().stream.fill(memory_.data(), 0xff, bytes_ + kGuard); }
  void set(const void* from) {
    Gpu::get().stream.to_device(memory_.data(), from, bytes_);
    Gpu::get().stream.synchronize();
  }
  void get(void* to) const {
    Gpu::get().stream.to_host(to, memory_.data(), bytes_);
    Gpu::get().stream.synchronize();
  }
  void check_guard() const {
    std::vector<unsigned char> guard(kGuard);
    Gpu::get().stream.to_host(guard.data(), memory_.data() + bytes_, kGuard);
    Gpu::get().stream.synchronize();
    for (unsigned char byte : guard) {
      if (byte != 0xff) throw std::runtime_error("a GPU kernel wrote behind its memory");
    }
  }

 private:
  static constexpr std::size_t kGuard = 64;
  std::size_t bytes_;
  hpmp::cuda::DeviceBytes memory_;
};

/// The GPU's copy of a tensor of the host.
class GpuTensor {
 public:
  explicit GpuTensor(const TensorRef& host)
      : host_(host),
        values_(static_cast<std::size_t>(host.bytes())),
        bytes_(static_cast<std::size_t>(host.bytes())) {}

  /// As the kernels take it.
  TensorRef ref() const {
    TensorRef t = packed();
    t.data = bytes_.data();
    return t;
  }
  void upload() {
    hpmp::copy_channels(packed(), 0, host_, 0, host_.c, false);
    bytes_.set(values_.data());
  }
  void download() {
    bytes_.check_guard();
    bytes_.get(values_.data());
    hpmp::copy_channels(host_, 0, packed(), 0, host_.c, false);
  }

 private:
  TensorRef packed() const {
    TensorRef t = host_;
    t.block = t.c;
    t.data = const_cast<std::byte*>(values_.data());
    return t;
  }

  TensorRef host_;
  std::vector<std::byte> values_;
  GpuBytes bytes_;
};

}  // namespace kernel_test
