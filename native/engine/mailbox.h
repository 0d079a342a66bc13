// Packs, sends, receives and unpacks a rank's messages, and counts the elements that leave.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "comm/wait.h"
#include "engine/buffers.h"
#include "engine/param_store.h"
#include "engine/shared_sums.h"

namespace hpmp {

class Mailbox {
 public:
  /// All arguments must outlive this.
  Mailbox(const Plan& plan, Communicator& comm, Arena& arena, ParamStore& params,
          const StatisticsMail& statistics, double timeout_seconds);

  void send(const Message& m);
  void post(const Message& m);
  /// Waits for a posted message and unpacks it: gradients are added to what is there.
  void receive(const Message& m, const char* label);
  void wait_sent(const Message& m, const char* label);
  /// Lets the transport work while kernels run.
  void progress();

  const std::vector<std::int64_t>& sent_by_net() const { return sent_by_net_; }
  const std::vector<std::int64_t>& sent_by_peer() const { return sent_by_peer_; }
  std::int64_t sent_bytes() const { return sent_bytes_; }
  void reset_counters();

 private:
  TensorRef buffer_tensor(const TensorRef& image, const Letter& l, std::byte* data) const;
  void pack(const Message& m, std::byte* buffer);
  void unpack(const Message& m, std::byte* buffer);
  void pack_channels(MessageKind kind, const Letter& l, std::byte* buffer);
  void unpack_channels(MessageKind kind, const Letter& l, std::byte* buffer);
  void pack_params(MessageKind kind, const Letter& l, float* buffer);
  void unpack_params(MessageKind kind, const Letter& l, const float* buffer);
  void count(const Message& m);
  ArenaTensor& image_of(MessageKind kind, const Letter& l);
  std::byte* buffer(TensorKind kind, const Message& m);
  std::size_t bytes(const Message& m) const;

  Communicator& comm_;
  Arena& arena_;
  ParamStore& params_;
  const StatisticsMail& statistics_;
  WaitOptions wait_;
  std::vector<Request> requests_;  // by message
  std::vector<std::size_t> open_;  // messages begun, oldest first; some may be done
  std::vector<std::int64_t> sent_by_net_, sent_by_peer_;
  std::int64_t sent_bytes_ = 0;
  std::int64_t samples_;
  DType dtype_;
};

}  // namespace hpmp
