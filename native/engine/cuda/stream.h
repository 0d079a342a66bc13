// A stream: kernels, copies and fills in order; events between streams; a captured run of them.
#pragma once

#include <memory>

#include "engine/cuda/device.h"

namespace hpmp::cuda {

class Event;

class Stream {
 public:
  explicit Stream(std::shared_ptr<const Device> device);
  /// Works on a stream of somebody else's (CuPy's), which must outlive it; null: one of its own.
  Stream(std::shared_ptr<const Device> device, void* handle);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const std::shared_ptr<const Device>& device() const { return device_; }
  void* handle() const { return handle_; }

  /// `args`: the kernel's one parameter, copied at once.
  void launch(void* function, unsigned grid, unsigned block, const void* args);
  /// Host memory must stay as it is until the stream has passed the copy.
  void to_device(void* to, const void* from, std::size_t bytes);
  void to_host(void* to, const void* from, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);
  /// `to` or `from` may be another GPU's.
  void copy_between(void* to, const void* from, std::size_t bytes);
  void fill(void* to, unsigned char value, std::size_t bytes);
  void wait_for(const Event& event);
  void synchronize();

 private:
  std::shared_ptr<const Device> device_;
  void* handle_ = nullptr;
  bool owned_;
};

/// A point of a stream.
class Event {
 public:
  /// `timed`: elapsed_us may be asked for; costs a little.
  Event(std::shared_ptr<const Device> device, bool timed);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(Stream& stream);
  bool has_passed() const;
  void synchronize() const;
  double elapsed_us(const Event& since) const;
  void* handle() const { return handle_; }

 private:
  std::shared_ptr<const Device> device_;
  void* handle_ = nullptr;
};

/// What a stream was given between two points, launched again as one.
class CapturedRun {
 public:
  /// Nothing that `work` puts on the stream runs now; it may neither synchronise nor allocate.
  template <class Work>
  CapturedRun(Stream& stream, const Work& work) : device_(stream.device()) {
    begin(stream);
    try {
      work();
    } catch (...) {
      abandon(stream);
      throw;
    }
    end(stream);
  }
  ~CapturedRun();
  CapturedRun(const CapturedRun&) = delete;
  CapturedRun& operator=(const CapturedRun&) = delete;

  void launch(Stream& stream) const;

 private:
  void begin(Stream& stream) const;
  void end(Stream& stream);
  void abandon(Stream& stream) const noexcept;

  std::shared_ptr<const Device> device_;
  void* executable_ = nullptr;
};

}  // namespace hpmp::cuda
