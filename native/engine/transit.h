// Carries a rank's packed messages: whatever can be done next for any of them is done in passing.
#pragma once

#include <map>
#include <vector>

#include "engine/backend.h"
#include "engine/passages.h"

namespace hpmp {

class Transit {
 public:
  /// All but the function must outlive this. Collective on GPUs.
  Transit(const Plan& plan, Communicator& comm, const BufferOf& buffer_of, Backend& backend,
          double timeout_seconds);

  /// Where a message is packed, or unpacked from.
  std::byte* buffer(const Message& m) { return leg(m).buffer; }
  Passage passage(const Message& m) { return leg(m).passage; }
  /// It has been packed.
  void send(const Message& m);
  void post(const Message& m);
  /// Waits for a posted message: what is asked for next finds it in its buffer.
  void receive(const Message& m, const char* label);
  /// It has been unpacked.
  void release(const Message& m);
  void wait_sent(const Message& m, const char* label);
  /// Does what can be done, and lets the transport work while kernels run.
  void progress();
  /// Of the GPU, beside the arena.
  std::int64_t bytes() const { return docks_ == nullptr ? 0 : docks_->bytes(); }

 private:
  /// How far a message is in this step.
  struct Leg {
    const Message* message = nullptr;
    std::byte* buffer = nullptr;
    Passage passage = Passage::staged;
    Departure* departure = nullptr;  // null, as `arrival`: the buffer is the transport's
    Arrival* arrival = nullptr;
    bool held = false;      // not given to the transport yet
    bool admitted = false;  // see Departure
    Request request;
    Request note;  // where the GPUs carry the message: that its dock is free
  };

  Leg& leg(const Message& m) { return legs_.at(m.tag); }
  std::size_t carried_bytes(const Leg& leg, const std::byte* dock) const;
  void hold_unless(bool started, Leg& leg);
  /// Whether it could be done.
  bool start_send(Leg& leg);
  bool start_receive(Leg& leg);
  void begin(Leg& leg, Request request);
  void advance();

  Communicator& comm_;
  WaitOptions wait_;
  DType dtype_;
  std::unique_ptr<Docks> docks_;  // before the ferry, which goes by them
  std::unique_ptr<Ferry> ferry_;  // null: buffers are the transport's
  std::map<Tag, Leg> legs_;
  std::vector<Leg*> held_;
  std::vector<Leg*> open_;  // given to the transport, oldest first; some may be done
};

}  // namespace hpmp
