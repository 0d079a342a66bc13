#include "comm/loopback.h"

#include <cstring>
#include <deque>
#include <list>
#include <mutex>

#include "base/error.h"

namespace hpmp {

namespace {

struct Slot {
  Rank from = 0, to = 0;
  Tag tag = 0;
  const void* source = nullptr;
  void* target = nullptr;
  std::size_t bytes = 0;
  std::vector<char> copy;  // buffered sends
  bool is_send = false, done = false, detached = false;

  bool matches(const Slot& o) const { return from == o.from && to == o.to && tag == o.tag; }
};

}  // namespace

// All state behind one mutex: correctness is what the loopback is for.
struct LoopbackWorld::State {
  State(int ranks, SendMode send_mode) : size(ranks), mode(send_mode), unmatched(ranks) {}

  const int size;
  const SendMode mode;
  std::mutex mutex;
  std::deque<Slot> slots;
  std::vector<std::uint64_t> free_slots;
  std::vector<std::list<std::uint64_t>> unmatched;  // by receiving rank, sends and receives
  std::string poison;

  std::uint64_t add(Slot slot) {
    if (free_slots.empty()) {
      free_slots.push_back(slots.size());
      slots.emplace_back();
    }
    const std::uint64_t handle = free_slots.back();
    free_slots.pop_back();
    slots[handle] = std::move(slot);
    return handle;
  }

  void release(std::uint64_t handle) {
    slots[handle] = Slot();
    free_slots.push_back(handle);
  }

  void deliver(Slot& send, Slot& receive) {
    if (send.bytes != receive.bytes) {
      poison = "rank " + std::to_string(receive.to) + " expects " + std::to_string(receive.bytes) +
               " bytes from rank " + std::to_string(receive.from) + " (tag " +
               std::to_string(receive.tag) + "), which sent " + std::to_string(send.bytes);
      return;
    }
    const void* source = send.copy.empty() ? send.source : send.copy.data();
    if (send.bytes > 0) std::memcpy(receive.target, source, send.bytes);
    send.done = receive.done = true;
  }

  /// Pairs the new slot with the oldest opposite one, or queues it.
  void match(std::uint64_t handle) {
    Slot& own = slots[handle];
    auto& queue = unmatched[static_cast<std::size_t>(own.to)];
    for (auto it = queue.begin(); it != queue.end(); ++it) {
      Slot& other = slots[*it];
      if (other.is_send == own.is_send || !other.matches(own)) continue;
      const std::uint64_t matched = *it;
      queue.erase(it);
      own.is_send ? deliver(own, other) : deliver(other, own);
      if (other.detached) release(matched);
      return;
    }
    queue.push_back(handle);
  }

  void throw_if_poisoned() const {
    if (!poison.empty()) fail(ErrorCode::comm_error, poison);
  }
};

class LoopbackWorld::End : public Communicator {
 public:
  End(State& state, Rank rank) : state_(state), rank_(rank) {}
  Rank rank() const override { return rank_; }
  int size() const override { return state_.size; }

  Request isend(const void* data, std::size_t bytes, Rank to, Tag tag) override {
    Slot slot;
    slot.from = rank_, slot.to = to, slot.tag = tag;
    slot.source = data, slot.bytes = bytes, slot.is_send = true;
    if (state_.mode == SendMode::buffered) {
      const char* begin = static_cast<const char*>(data);
      slot.copy.assign(begin, begin + bytes);
      slot.detached = true;
    }
    return post(std::move(slot), to);
  }

  Request irecv(void* data, std::size_t bytes, Rank from, Tag tag) override {
    Slot slot;
    slot.from = from, slot.to = rank_, slot.tag = tag;
    slot.target = data, slot.bytes = bytes;
    return post(std::move(slot), from);
  }

  bool test(Request& request) override {
    std::lock_guard<std::mutex> lock(state_.mutex);
    state_.throw_if_poisoned();
    if (!request.active) return true;
    if (!state_.slots[request.handle].done) return false;
    state_.release(request.handle);
    request.active = false;
    return true;
  }

 private:
  Request post(Slot slot, Rank peer) {
    ensure(peer >= 0 && peer < state_.size, "a message's peer is a rank of the world");
    std::lock_guard<std::mutex> lock(state_.mutex);
    state_.throw_if_poisoned();
    Request request;
    const bool detached = slot.detached;
    request.handle = state_.add(std::move(slot));
    request.active = !detached;
    state_.match(request.handle);
    if (detached && state_.slots[request.handle].done) state_.release(request.handle);
    return request;
  }

  State& state_;
  const Rank rank_;
};

LoopbackWorld::LoopbackWorld(int size, SendMode mode)
    : state_(std::make_unique<State>(size, mode)) {
  for (Rank r = 0; r < size; ++r) ends_.push_back(std::make_unique<End>(*state_, r));
}

LoopbackWorld::~LoopbackWorld() = default;

int LoopbackWorld::size() const { return state_->size; }

Communicator& LoopbackWorld::communicator(Rank r) { return *ends_.at(static_cast<std::size_t>(r)); }

void LoopbackWorld::poison(Rank culprit, const std::string& message) {
  std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->poison.empty()) {
    state_->poison = "rank " + std::to_string(culprit) + " failed: " + message;
  }
}

}  // namespace hpmp
