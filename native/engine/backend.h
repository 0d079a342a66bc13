// Where a rank's tensors are and what works on them: the host's memory and cores, or a GPU's.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/ferry.h"
#include "engine/kernel.h"

namespace hpmp {

/// Freed with its last owner.
using Memory = std::shared_ptr<std::byte>;

/// Work on memory that does not move, prepared once and run in every step.
class Routine {
 public:
  virtual ~Routine() = default;
  virtual void run() = 0;
};

/// `factor` 0: the numbers become zero, whatever they were; else they are multiplied by it.
struct ResetRange {
  float* at;
  std::int64_t count;
  float factor = 0;
};

/// to[:, to_c + i] (=|+=) from[:, from_c + i] for i < count.
struct ChannelCopy {
  TensorRef to;
  std::int64_t to_c;
  TensorRef from;
  std::int64_t from_c, count;
  bool accumulate;
};

/// Calls take effect in their order. Those of a GPU return before they are done, but `put`'s host
/// memory may be written, and `get`'s read, only after `finish`.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Whether its memory is the host's, and calls are done when they return.
  virtual bool is_host() const = 0;
  /// First thing in every call from outside: the thread may be another.
  virtual void enter() {}
  /// Returns when everything is done.
  virtual void finish() {}

  /// Aligned for kernels; undefined at first. Errors: `out_of_memory` naming what.
  virtual Memory allocate(std::int64_t bytes, const char* what) = 0;
  /// Of the host, for `put` and `get`.
  virtual Memory allocate_staging(std::int64_t bytes) = 0;
  virtual void put(void* to, const void* host, std::int64_t bytes) = 0;
  virtual void get(void* host, const void* from, std::int64_t bytes) = 0;
  virtual void clear(void* at, std::int64_t bytes) = 0;
  virtual void copy(void* to, const void* from, std::int64_t bytes) = 0;
  virtual void add(float* to, const float* from, std::int64_t count) = 0;

  /// The block of an activation of `c` channels, and of an input that only mixing ops read.
  virtual std::int64_t block(std::int64_t c) const = 0;
  virtual std::int64_t input_block(std::int64_t c) const = 0;
  virtual std::unique_ptr<Kernel> prepare(const KernelSpec& spec) = 0;
  virtual void copy_channels(const ChannelCopy& copy) = 0;
  /// The caller's fp32 [n][channels][h][w], in this memory, to channels of `to`.
  virtual void take_plain(const TensorRef& to, std::int64_t to_c, const float* plain,
                          std::int64_t channels, Range of) = 0;
  /// All of `from` to the host's fp32 [n][c][h][w]; `room`: plain_room(from) bytes.
  virtual void give_plain(float* host, const TensorRef& from, std::byte* room) = 0;
  virtual std::int64_t plain_room(std::int64_t elems) const = 0;

  virtual void add_sums(ChannelSums* to, const ChannelSums* from, std::int64_t count) = 0;
  /// Two floats per channel for other ranks; see StatisticsMail. `values`: that a sum is of.
  virtual void encode_sums(float* wire, const ChannelSums* sums, std::int64_t count, double values,
                           bool backward) = 0;
  virtual void decode_sums(ChannelSums* sums, const float* wire, std::int64_t count, double values,
                           bool backward, bool accumulate) = 0;

  /// What the kernels and routines of a step go by, until the next call.
  virtual void begin_step(const StepInfo& info, const UpdateRule& rule) = 0;
  /// What StepInfo::numbers is.
  virtual const cuda::StepNumbers* numbers() const { return nullptr; }
  virtual std::unique_ptr<Routine> make_reset(const std::vector<ResetRange>& ranges) = 0;
  virtual std::unique_ptr<Routine> make_update(const std::vector<UpdateRange>& ranges) = 0;
  /// No two copies write the same elements; all tensors are of one type.
  virtual std::unique_ptr<Routine> make_copies(const std::vector<ChannelCopy>& copies) = 0;

  /// What `work` asks for, kept instead of done: the routine does it. `work` may neither wait nor
  /// allocate. Not for the host.
  virtual std::unique_ptr<Routine> record(const std::function<void()>& work) = 0;

  /// Not for the host.
  virtual std::unique_ptr<Docks> make_docks(std::int64_t bytes) = 0;
  /// Null on the host: the transport reads and writes messages' buffers themselves.
  virtual std::unique_ptr<Ferry> make_ferry(const std::vector<FerryLoad>& loads) = 0;
};

std::unique_ptr<Backend> open_host_backend();
/// Errors: `device_error` without a driver, GPU or CUDA in this build.
std::unique_ptr<Backend> open_cuda_backend(const EngineOptions& options, DType storage);
/// Of options.device.
inline std::unique_ptr<Backend> open_backend(const EngineOptions& options, DType storage) {
  return options.device == DeviceKind::cpu ? open_host_backend()
                                           : open_cuda_backend(options, storage);
}

}  // namespace hpmp
