#include "engine/cuda/docks.h"

#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/switch.h"
#include "engine/cuda/lent_bytes.h"
#include "engine/cuda/process.h"

namespace hpmp::cuda {
namespace {

constexpr unsigned kLazyPeerAccess = 1;  // CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS

struct Offer {
  Process process;
  DeviceAddress docks;  // 0: not offered
  bool has_handle;
  MemoryHandle handle;
  std::uint64_t stamp;  // stands in the docks now

  static Offer from(const DockOffer& wire) {
    Offer offer;
    std::memcpy(&offer, wire.bytes.data(), sizeof offer);
    return offer;
  }
  DockOffer wire() const {
    static_assert(sizeof(Offer) <= sizeof(DockOffer::bytes), "an offer is sent as a whole");
    DockOffer wire;
    std::memcpy(wire.bytes.data(), this, sizeof *this);
    return wire;
  }
};

bool is_wanted() { return is_switched_on("HPMP_GPU_IPC"); }

/// What ranks of this process have offered, for others of it to hold on to.
class Offered {
 public:
  void add(const std::shared_ptr<LentBytes>& docks) {
    const std::lock_guard<std::mutex> guard(lock_);
    for (auto known = docks_.begin(); known != docks_.end();)
      known = known->second.expired() ? docks_.erase(known) : std::next(known);
    docks_[docks->data()] = docks;
  }
  /// Null where they have gone.
  std::shared_ptr<LentBytes> find(const std::byte* data) {
    const std::lock_guard<std::mutex> guard(lock_);
    const auto found = docks_.find(data);
    return found == docks_.end() ? nullptr : found->second.lock();
  }

 private:
  std::mutex lock_;
  std::map<const std::byte*, std::weak_ptr<LentBytes>> docks_;
};

Offered& offered() {
  static auto* offered = new Offered;  // never destroyed: engines may end after any static
  return *offered;
}

/// Another process's memory in this one.
class Opened {
 public:
  Opened(std::shared_ptr<const Device> device, DeviceAddress memory)
      : device_(std::move(device)), memory_(memory) {}
  ~Opened() {
    device_->use_in_destructor();
    device_->driver().close_handle(memory_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  std::byte* data() const { return reinterpret_cast<std::byte*>(memory_); }

 private:
  std::shared_ptr<const Device> device_;
  DeviceAddress memory_;
};

class GpuDocks final : public Docks {
 public:
  GpuDocks(Stream& stream, std::int64_t bytes) : stream_(stream), wanted_(bytes) {}

  std::byte* data() override {
    if (memory_ == nullptr)
      memory_ = std::make_shared<LentBytes>(stream_.device(), static_cast<std::size_t>(wanted_));
    return memory_->data();
  }
  void give_back() override { memory_.reset(); }
  std::int64_t bytes() const override {
    return memory_ == nullptr ? 0 : static_cast<std::int64_t>(memory_->bytes());
  }

  DockOffer offer() override {
    Offer offer{};
    offer.process = Process::own();
    if (wanted_ == 0 || !is_wanted()) return offer.wire();
    offer.docks = reinterpret_cast<DeviceAddress>(data());
    offered().add(memory_);
    offer.has_handle = driver().handle_of(&offer.handle, offer.docks) == 0;
    offer.stamp = random_number();
    stream_.to_device(data(), &offer.stamp, sizeof offer.stamp);
    stream_.synchronize();
    return offer.wire();
  }

  std::byte* reach(const DockOffer& other) override {
    const Offer offer = Offer::from(other);
    if (offer.docks == 0 || !is_wanted()) return nullptr;
    if (offer.process.is(Process::own())) return hold(offer);
    if (!offer.has_handle || !offer.process.is_beside(Process::own())) return nullptr;
    return open(offer);
  }

  void lend(const DockOffer& other) override {
    if (!Offer::from(other).process.is(Process::own())) memory_->keep();
  }

 private:
  const Driver& driver() const { return stream_.device()->driver(); }

  std::byte* hold(const Offer& offer) {
    auto docks = offered().find(reinterpret_cast<const std::byte*>(offer.docks));
    if (docks == nullptr) return nullptr;
    held_.push_back(std::move(docks));
    return held_.back()->data();
  }

  std::byte* open(const Offer& offer) {
    DeviceAddress memory = 0;
    if (driver().open_handle(&memory, offer.handle, kLazyPeerAccess) != 0) return nullptr;
    auto opened = std::make_unique<Opened>(stream_.device(), memory);
    if (!holds(opened->data(), offer.stamp)) return nullptr;
    opened_.push_back(std::move(opened));
    return opened_.back()->data();
  }

  /// Whether what was opened is what was offered.
  bool holds(const std::byte* docks, std::uint64_t stamp) {
    std::uint64_t found = 0;
    try {
      stream_.to_host(&found, docks, sizeof found);
      stream_.synchronize();
    } catch (const Error&) {
      return false;
    }
    return found == stamp;
  }

  Stream& stream_;
  std::int64_t wanted_;
  std::shared_ptr<LentBytes> memory_;
  std::vector<std::shared_ptr<LentBytes>> held_;  // of others
  std::vector<std::unique_ptr<Opened>> opened_;
};

}  // namespace

std::unique_ptr<Docks> make_gpu_docks(Stream& stream, std::int64_t bytes) {
  return std::make_unique<GpuDocks>(stream, bytes);
}

}  // namespace hpmp::cuda
