// Packs, sends, receives and unpacks a rank's messages, and counts the elements that leave.
#pragma once

#include <deque>
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
  Mailbox(const Plan& plan, Communicator& comm, Arena& arena, Backend& backend, ParamStore& params,
          const StatisticsMail& statistics, double timeout_seconds);

  void send(const Message& m);
  void post(const Message& m);
  /// Waits for a posted message and unpacks it: gradients are added to what is there.
  void receive(const Message& m, const char* label);
  void wait_sent(const Message& m, const char* label);
  /// Sends what has left the GPU, and lets the transport work while kernels run.
  void progress();

  const std::vector<std::int64_t>& sent_by_net() const { return sent_by_net_; }
  const std::vector<std::int64_t>& sent_by_peer() const { return sent_by_peer_; }
  std::int64_t sent_bytes() const { return sent_bytes_; }
  void reset_counters();

 private:
  TensorRef buffer_tensor(const TensorRef& image, const Letter& l, std::byte* data) const;
  /// Between the message's buffer and what it carries.
  std::vector<ChannelCopy> copies(const Message& m);
  void copy_channels(const Message& m, const Letter& l, std::byte* wire,
                     std::vector<ChannelCopy>& copies);
  void copy_params(const Message& m, const Letter& l, float* wire,
                   std::vector<ChannelCopy>& copies);
  bool is_sent(const Message& m) const { return m.from == comm_.rank(); }
  void pack(const Message& m);
  void unpack(const Message& m);
  void start_send(const Message& m, const std::byte* data);
  void send_departed();
  void count(const Message& m);
  ArenaTensor& image_of(MessageKind kind, const Letter& l);
  std::byte* buffer(const Message& m);
  std::size_t bytes(const Message& m) const;

  Communicator& comm_;
  Arena& arena_;
  Backend& backend_;
  ParamStore& params_;
  const StatisticsMail& statistics_;
  WaitOptions wait_;
  std::vector<std::unique_ptr<Routine>> routines_;  // by message: packs or unpacks it
  std::unique_ptr<Ferry> ferry_;                    // null: buffers are the transport's
  std::deque<const Message*> departing_;            // not given to the transport yet
  std::vector<Request> requests_;                   // by message
  std::vector<std::size_t> open_;  // messages begun, oldest first; some may be done
  std::vector<std::int64_t> sent_by_net_, sent_by_peer_;
  std::int64_t sent_bytes_ = 0;
  std::int64_t samples_;
  DType dtype_;
};

}  // namespace hpmp
