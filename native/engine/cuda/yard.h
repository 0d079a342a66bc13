// Memory that is written from outside of a GPU's streams, and what on a stream still reads it.
#pragma once

#include <vector>

#include "engine/cuda/stream.h"

namespace hpmp::cuda {

class Yard {
 public:
  /// `until` has passed when nothing reads the bytes any more; must outlive this.
  void occupy(const std::byte* at, std::int64_t bytes, const Event& until);
  bool is_free(const std::byte* at, std::int64_t bytes);
  /// Returns when they are free.
  void clear(const std::byte* at, std::int64_t bytes);
  /// What `stream` is given from now on comes when they are free.
  void delay(Stream& stream, const std::byte* at, std::int64_t bytes);

 private:
  struct Stay {
    const std::byte *begin, *end;
    const Event* until;

    bool meets(const std::byte* at, std::int64_t bytes) const {
      return begin < at + bytes && at < end;
    }
  };

  void forget_passed();

  std::vector<Stay> stays_;
};

}  // namespace hpmp::cuda
