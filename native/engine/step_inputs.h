// The caller's images and labels where the kernels of this rank read them.
#pragma once

#include <map>

#include "engine/backend.h"
#include "plan/plan.h"

namespace hpmp {

class StepInputs {
 public:
  /// Images of the shards that `program` loads; `elems`: of one, `labels`: of one sample. `backend`
  /// must outlive it.
  StepInputs(const Plan& plan, const RankProgram& program, Backend& backend, std::int64_t elems,
             std::int64_t labels);

  /// The caller's, of the whole batch; labels may be null. Copied to a GPU, in the order of calls.
  void begin(const float* images, const std::int64_t* labels);
  /// [samples of the shard][c][h][w].
  const float* images(std::int32_t shard) const;
  /// [samples of the shard][labels]; null where none were given.
  const std::int64_t* labels(std::int32_t shard) const;
  std::int64_t bytes() const { return bytes_; }

 private:
  Backend& backend_;
  std::int64_t shards_, shard_elems_, shard_labels_;
  std::map<std::int32_t, std::int64_t>
      places_;  // by shard: where its images begin in image_memory_
  std::int64_t bytes_ = 0;
  Memory image_memory_, label_memory_;  // of a GPU
  const float* images_ = nullptr;
  const std::int64_t* labels_ = nullptr;
};

}  // namespace hpmp
