// Copies of channels on the GPU, and the edges where the caller's fp32 NCHW begins and ends.
#pragma once

#include "engine/cuda/kernels/layout.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

/// All tensors are the GPU's; those that are not said to be plain are NHWC and stored as the
/// target says. Pixels and samples are those of the NHWC side.
class Copies {
 public:
  explicit Copies(const Target& target);

  /// to[:, to_c + i] (=|+=) from[:, from_c + i] for i < count.
  void channels(const TensorRef& to, std::int64_t to_c, const TensorRef& from, std::int64_t from_c,
                std::int64_t count, bool accumulate) const;
  /// to[:, to_c + i] = plain[:, plain_c + i]; plain: fp32 [n][plain_channels][h][w].
  void from_plain(const TensorRef& to, std::int64_t to_c, const void* plain,
                  std::int64_t plain_channels, std::int64_t plain_c, std::int64_t count) const;
  /// The other way.
  void to_plain(void* plain, std::int64_t plain_channels, std::int64_t plain_c,
                const TensorRef& from, std::int64_t from_c, std::int64_t count) const;

 private:
  Stream& stream_;
  WideEntry<CopyChannelsArgs> channels_;
  NarrowEntry<EdgeArgs> take_, give_;
};

}  // namespace hpmp::cuda
