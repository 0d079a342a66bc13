// Counts the bytes that go to each peer, beside any communicator.
#pragma once

#include <vector>

#include "comm/communicator.h"

namespace hpmp {

class CountingCommunicator : public Communicator {
 public:
  /// `inner` must outlive this.
  explicit CountingCommunicator(Communicator& inner)
      : inner_(inner), bytes_to_(static_cast<std::size_t>(inner.size()), 0) {}

  Rank rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  bool takes_gpu_memory() const override { return inner_.takes_gpu_memory(); }
  Request isend(const void* data, std::size_t bytes, Rank to, Tag tag) override {
    bytes_to_.at(static_cast<std::size_t>(to)) += static_cast<std::int64_t>(bytes);
    return inner_.isend(data, bytes, to, tag);
  }
  Request irecv(void* data, std::size_t bytes, Rank from, Tag tag) override {
    return inner_.irecv(data, bytes, from, tag);
  }
  bool test(Request& request) override { return inner_.test(request); }

  const std::vector<std::int64_t>& bytes_to() const { return bytes_to_; }
  void reset() { bytes_to_.assign(bytes_to_.size(), 0); }

 private:
  Communicator& inner_;
  std::vector<std::int64_t> bytes_to_;
};

}  // namespace hpmp
