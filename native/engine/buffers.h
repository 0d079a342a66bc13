// The memory of a rank's step: the arena with its planned tensors, and scratch.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "engine/backend.h"
#include "engine/tensor.h"
#include "plan/touch.h"

namespace hpmp {

struct FreeAligned {
  void operator()(std::byte* p) const;
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeAligned>;

/// 64-byte aligned, untouched; where it is large, in large pages if the system has them.
/// Errors: `out_of_memory` naming the bytes.
AlignedBytes allocate_bytes(std::int64_t bytes, const char* what);

/// A planned tensor as the kernels see it. Buffers and `saved` only have `data`.
struct ArenaTensor {
  const PlannedTensor* plan = nullptr;
  TensorRef ref;
  std::byte* data = nullptr;
};

class Arena {
 public:
  Arena(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank rank,
        Backend& backend);

  /// Null where the rank has no such tensor.
  ArenaTensor* find(const TensorKey& key);
  ArenaTensor& get(const TensorKey& key);
  ArenaTensor& image(GroupId g, std::int32_t s) { return get({TensorKind::image, g, s, -1}); }
  ArenaTensor* image_grad(GroupId g, std::int32_t s) {
    return find({TensorKind::image_grad, g, s, -1});
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t bytes_;
  Memory memory_;
  std::map<TensorKey, ArenaTensor> tensors_;
};

/// Scratch of one instruction: taken in order, given back all at once.
class Scratch {
 public:
  /// `backend` must outlive it.
  explicit Scratch(Backend& backend) : backend_(backend) {}

  void reserve(std::int64_t bytes);
  void reset() { used_ = 0; }
  std::byte* take(std::int64_t bytes);
  TensorRef take_tensor(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                        DType dtype);
  std::int64_t bytes() const { return bytes_; }
  static std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  Backend& backend_;
  Memory memory_;
  std::int64_t bytes_ = 0, used_ = 0;
};

}  // namespace hpmp
