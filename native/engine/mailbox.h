// Packs and unpacks a rank's messages, and counts the elements that leave.
#pragma once

#include <vector>

#include "engine/param_store.h"
#include "engine/shared_sums.h"
#include "engine/transit.h"

namespace hpmp {

class Mailbox {
 public:
  /// All arguments must outlive this.
  Mailbox(const Plan& plan, Communicator& comm, Arena& arena, Backend& backend, ParamStore& params,
          const StatisticsMail& statistics, double timeout_seconds);

  void send(const Message& m);
  void post(const Message& m) { transit_.post(m); }
  /// Waits for a posted message and unpacks it: gradients are added to what is there.
  void receive(const Message& m, const char* label);
  void wait_sent(const Message& m, const char* label) { transit_.wait_sent(m, label); }
  /// Lets messages go on while kernels run.
  void progress() { transit_.progress(); }

  const std::vector<std::int64_t>& sent_by_net() const { return sent_by_net_; }
  const std::vector<std::int64_t>& sent_by_peer() const { return sent_by_peer_; }
  const SentBytes& sent_bytes() const { return sent_bytes_; }
  /// Memory that is not the arena's.
  std::int64_t bytes() const { return transit_.bytes(); }
  void reset_counters();

 private:
  TensorRef buffer_tensor(const TensorRef& image, const Letter& l, std::byte* data) const;
  /// Between the message's buffer and what it carries.
  std::vector<ChannelCopy> copies(const Message& m);
  void copy_channels(const Message& m, const Letter& l, std::byte* wire,
                     std::vector<ChannelCopy>& copies);
  void copy_params(const Message& m, const Letter& l, float* wire,
                   std::vector<ChannelCopy>& copies);
  bool is_sent(const Message& m) const { return m.from == rank_; }
  void pack(const Message& m);
  void unpack(const Message& m);
  void count(const Message& m);
  ArenaTensor& image_of(MessageKind kind, const Letter& l);

  Rank rank_;
  Arena& arena_;
  ParamStore& params_;
  const StatisticsMail& statistics_;
  Transit transit_;
  std::vector<std::unique_ptr<Routine>> routines_;  // by message: packs or unpacks it
  std::vector<std::int64_t> sent_by_net_, sent_by_peer_;
  SentBytes sent_bytes_{};
  std::int64_t samples_;
  DType dtype_;
};

}  // namespace hpmp
