// How messages get from the memory of one rank's GPU into that of another's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/ids.h"

namespace hpmp {

/// How the bytes of a message travel between ranks on GPUs.
enum class Passage : std::uint8_t {
  staged,  // through memory of the host on both sides
  direct,  // the transport reads and writes the GPU's memory
  shared,  // the sender's GPU writes the receiver's memory
};
constexpr std::size_t kPassages = 3;

/// What another rank is told of this rank's docks: bytes that may be sent.
struct DockOffer {
  std::array<std::byte, 192> bytes{};
};

/// Memory of a rank's GPU in which messages arrive and which other ranks' GPUs may be able to
/// write.
class Docks {
 public:
  virtual ~Docks() = default;
  /// Errors: `out_of_memory`.
  virtual std::byte* data() = 0;
  virtual DockOffer offer() = 0;
  /// The docks of the rank whose offer it is, for this rank's GPU to write as long as this lives;
  /// null where it cannot.
  virtual std::byte* reach(const DockOffer& other) = 0;
  /// The rank whose offer it is has reached these.
  virtual void lend(const DockOffer& other) = 0;
  /// Nobody writes them: their memory goes back.
  virtual void give_back() = 0;
  /// Of the GPU, taken now.
  virtual std::int64_t bytes() const = 0;
};

/// A message's buffer and when it is of use (see Instr), and how it travels.
struct FerryLoad {
  Tag tag = 0;
  bool is_sent = false;
  std::byte* buffer = nullptr;  // in the arena
  std::int64_t bytes = 0;
  std::int32_t first = 0, last = 0;  // instructions, inclusive
  Passage passage = Passage::staged;
  std::byte* dock = nullptr;  // on the receiver's GPU, as this rank sees it; see Docks
};

/// A sent message's way from its buffer on the GPU to where the transport finds it.
class Departure {
 public:
  virtual ~Departure() = default;
  /// What the transport sends. Null where the GPUs carry the message: then the transport carries
  /// two empty ones, first one back that its dock is free, then one behind it that it is there.
  virtual const std::byte* dock() const = 0;
  /// The buffer has been packed; nobody waits.
  virtual void begin() = 0;
  /// The receiver's dock is free; only where `dock` is null.
  virtual void admit() {}
  /// Whether the transport may send.
  virtual bool is_done() = 0;
  /// Returns when it may; admitted before.
  virtual void finish() = 0;
};

/// The same of a received message.
class Arrival {
 public:
  virtual ~Arrival() = default;
  /// On the GPU: what is unpacked.
  virtual std::byte* buffer() const = 0;
  /// What the transport receives into; null as above.
  virtual std::byte* dock() const = 0;
  /// The message's turn begins; what uses its buffer's memory until now was asked for before.
  virtual void begin() = 0;
  /// Whether the dock may be written.
  virtual bool is_free() = 0;
  /// Returns when it may.
  virtual void clear() = 0;
  /// What is in the dock is in the buffer before whatever is asked for next.
  virtual void land() = 0;
  /// The buffer has been unpacked.
  virtual void release() {}
};

/// The ways of a rank's messages, by tag.
class Ferry {
 public:
  virtual ~Ferry() = default;
  virtual Departure& departure(Tag tag) = 0;
  virtual Arrival& arrival(Tag tag) = 0;
};

}  // namespace hpmp
