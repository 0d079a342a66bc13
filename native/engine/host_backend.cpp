// The host's memory and cores as a backend: every call is done when it returns.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "engine/backend.h"
#include "engine/buffers.h"
#include "engine/cpu/update.h"

namespace hpmp {
namespace {

class HostReset final : public Routine {
 public:
  explicit HostReset(std::vector<ResetRange> ranges) : ranges_(std::move(ranges)) {}

  void run() override {
    for (const ResetRange& r : ranges_) {
      if (r.factor == 0) {
        std::fill_n(r.at, r.count, 0.0F);
      } else {
        for (std::int64_t i = 0; i < r.count; ++i) r.at[i] *= r.factor;
      }
    }
  }

 private:
  std::vector<ResetRange> ranges_;
};

class HostUpdate final : public Routine {
 public:
  HostUpdate(const UpdateRule& rule, std::vector<UpdateRange> ranges)
      : rule_(rule), ranges_(std::move(ranges)) {}

  void run() override {
    for (const UpdateRange& range : ranges_) cpu::update_range(rule_, range);
  }

 private:
  const UpdateRule& rule_;
  std::vector<UpdateRange> ranges_;
};

class HostCopies final : public Routine {
 public:
  explicit HostCopies(std::vector<ChannelCopy> copies) : copies_(std::move(copies)) {}

  void run() override {
    for (const ChannelCopy& c : copies_)
      hpmp::copy_channels(c.to, c.to_c, c.from, c.from_c, c.count, c.accumulate);
  }

 private:
  std::vector<ChannelCopy> copies_;
};

/// The caller's images or outputs: a tensor of block 1.
TensorRef plain_tensor(const float* data, const TensorRef& like, std::int64_t channels) {
  return {const_cast<float*>(data), like.n, channels, like.h, like.w, 1};
}

/// As the two floats of the wire.
void encode(const ChannelSums& sums, double values, bool backward, float* out) {
  const double mean = sums.first / values;
  out[0] = static_cast<float>(backward ? sums.first : mean);
  out[1] = static_cast<float>(backward ? sums.second : sums.second - mean * sums.first);
}

ChannelSums decode(const float* in, double values, bool backward) {
  const double first = in[0], second = in[1];
  if (backward) return {first, second};
  return {values * first, second + values * first * first};
}

class HostBackend final : public Backend {
 public:
  bool is_host() const override { return true; }

  Memory allocate(std::int64_t bytes, const char* what) override {
    return Memory(allocate_bytes(bytes, what).release(), FreeAligned());
  }
  Memory allocate_staging(std::int64_t bytes) override { return allocate(bytes, "copies"); }
  void put(void* to, const void* host, std::int64_t bytes) override { copy(to, host, bytes); }
  void get(void* host, const void* from, std::int64_t bytes) override { copy(host, from, bytes); }
  void clear(void* at, std::int64_t bytes) override {
    if (bytes > 0) std::memset(at, 0, static_cast<std::size_t>(bytes));
  }
  void copy(void* to, const void* from, std::int64_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
  void add(float* to, const float* from, std::int64_t count) override {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
  }

  std::int64_t block(std::int64_t c) const override { return channel_block(c); }
  std::int64_t input_block(std::int64_t c) const override { return preferred_input_block(c); }
  std::unique_ptr<Kernel> prepare(const KernelSpec& spec) override {
    return prepare_cpu_kernel(spec);
  }
  void copy_channels(const ChannelCopy& c) override {
    hpmp::copy_channels(c.to, c.to_c, c.from, c.from_c, c.count, c.accumulate);
  }
  void take_plain(const TensorRef& to, std::int64_t to_c, const float* plain, std::int64_t channels,
                  Range of) override {
    hpmp::copy_channels(to, to_c, plain_tensor(plain, to, channels), of.begin, of.size(), false);
  }
  void give_plain(float* host, const TensorRef& from, std::byte*) override {
    hpmp::copy_channels(plain_tensor(host, from, from.c), 0, from, 0, from.c, false);
  }
  std::int64_t plain_room(std::int64_t) const override { return 0; }

  void add_sums(ChannelSums* to, const ChannelSums* from, std::int64_t count) override {
    for (std::int64_t c = 0; c < count; ++c) {
      to[c].first += from[c].first;
      to[c].second += from[c].second;
    }
  }
  void encode_sums(float* wire, const ChannelSums* sums, std::int64_t count, double values,
                   bool backward) override {
    for (std::int64_t c = 0; c < count; ++c) encode(sums[c], values, backward, wire + 2 * c);
  }
  void decode_sums(ChannelSums* sums, const float* wire, std::int64_t count, double values,
                   bool backward, bool accumulate) override {
    for (std::int64_t c = 0; c < count; ++c) {
      const ChannelSums got = decode(wire + 2 * c, values, backward);
      if (!accumulate) sums[c] = {};
      sums[c].first += got.first;
      sums[c].second += got.second;
    }
  }

  void begin_step(const StepInfo&, const UpdateRule& rule) override { rule_ = rule; }
  std::unique_ptr<Routine> make_reset(const std::vector<ResetRange>& ranges) override {
    return std::make_unique<HostReset>(ranges);
  }
  std::unique_ptr<Routine> make_update(const std::vector<UpdateRange>& ranges) override {
    return std::make_unique<HostUpdate>(rule_, ranges);
  }
  std::unique_ptr<Routine> make_copies(const std::vector<ChannelCopy>& copies) override {
    return std::make_unique<HostCopies>(copies);
  }
  std::unique_ptr<Routine> record(const std::function<void()>&) override {
    fail(ErrorCode::internal, "the host does what it is asked for at once");
  }
  std::unique_ptr<Docks> make_docks(std::int64_t) override {
    fail(ErrorCode::internal, "messages of the host have no docks");
  }
  std::unique_ptr<Ferry> make_ferry(const std::vector<FerryLoad>&) override { return nullptr; }

 private:
  UpdateRule rule_;  // of the step
};

}  // namespace

std::unique_ptr<Backend> open_host_backend() { return std::make_unique<HostBackend>(); }

}  // namespace hpmp
