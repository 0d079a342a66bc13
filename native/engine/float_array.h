// fp32 numbers in a backend's memory, and how the host reads and writes them.
#pragma once

#include <vector>

#include "engine/backend.h"

namespace hpmp {

/// Zero at first.
class FloatArray {
 public:
  FloatArray() = default;
  FloatArray(Backend& backend, std::int64_t count);

  float* data() const { return reinterpret_cast<float*>(memory_.get()); }
  std::int64_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::int64_t bytes() const { return count_ * static_cast<std::int64_t>(sizeof(float)); }

 private:
  Memory memory_;
  std::int64_t count_ = 0;
};

/// The array itself or, of a GPU, a copy.
class HostView {
 public:
  /// Both must outlive this.
  HostView(Backend& backend, const FloatArray& array);
  float* data() { return backend_.is_host() ? array_.data() : copy_.data(); }
  /// What was written counts.
  void give_back();

 private:
  Backend& backend_;
  const FloatArray& array_;
  std::vector<float> copy_;
};

}  // namespace hpmp
