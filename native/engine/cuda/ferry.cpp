#include "engine/cuda/ferry.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "plan/arena.h"

namespace hpmp::cuda {
namespace {

/// One message's dock and how far its copy is.
struct Berth {
  FerryLoad load;
  std::int64_t offset;  // of the dock
  Event packed, done;   // packed: or, where it is received, its buffer is free
  bool landing = false;

  Berth(const FerryLoad& l, std::int64_t at, const std::shared_ptr<const Device>& device)
      : load(l), offset(at), packed(device, false), done(device, false) {}
};

class PinnedFerry final : public Ferry {
 public:
  PinnedFerry(Stream& kernels, const std::vector<FerryLoad>& loads)
      : kernels_(kernels), out_(kernels.device()), in_(kernels.device()) {
    // Docks share memory where the messages' lives do not overlap.
    std::vector<Lifetime> lives;
    for (const FerryLoad& l : loads) lives.push_back({l.bytes, l.first, l.last, 0});
    const std::int64_t bytes = assign_offsets(lives);
    memory_ = std::make_unique<PinnedBytes>(kernels.device(), static_cast<std::size_t>(bytes));
    for (std::size_t k = 0; k < loads.size(); ++k)
      berths_.try_emplace(loads[k].tag, loads[k], lives[k].offset, kernels.device());
  }

  std::byte* dock(std::int32_t tag) override { return dock(berth(tag)); }

  void depart(std::int32_t tag) override {
    Berth& b = berth(tag);
    clear_dock(b);
    b.packed.record(kernels_);
    out_.wait_for(b.packed);
    out_.to_host(dock(b), b.load.buffer, bytes(b));
    b.done.record(out_);
  }
  bool has_departed(std::int32_t tag) override { return berth(tag).done.has_passed(); }
  void finish_departure(std::int32_t tag) override { berth(tag).done.synchronize(); }

  void expect(std::int32_t tag) override {
    Berth& b = berth(tag);
    clear_dock(b);
    b.packed.record(kernels_);
  }
  void arrive(std::int32_t tag) override {
    Berth& b = berth(tag);
    in_.wait_for(b.packed);
    in_.to_device(b.load.buffer, dock(b), bytes(b));
    b.done.record(in_);
    kernels_.wait_for(b.done);
    b.landing = true;
    landing_.push_back(&b);
  }

 private:
  Berth& berth(std::int32_t tag) {
    const auto found = berths_.find(tag);
    ensure(found != berths_.end(), "every message of a rank has a dock");
    return found->second;
  }
  std::byte* dock(const Berth& b) const { return memory_->data() + b.offset; }
  static std::size_t bytes(const Berth& b) { return static_cast<std::size_t>(b.load.bytes); }

  /// What still leaves for the GPU from this memory goes first. (What left for the host was sent,
  /// or the plan would not give its memory away.)
  void clear_dock(const Berth& b) {
    for (Berth* other : landing_) {
      const bool shared =
          other->offset < b.offset + b.load.bytes && b.offset < other->offset + other->load.bytes;
      if (shared) other->done.synchronize();
      if (shared || other->done.has_passed()) other->landing = false;
    }
    landing_.erase(std::remove_if(landing_.begin(), landing_.end(),
                                  [](const Berth* l) { return !l->landing; }),
                   landing_.end());
  }

  Stream& kernels_;
  Stream out_, in_;
  std::unique_ptr<PinnedBytes> memory_;
  std::map<std::int32_t, Berth> berths_;
  std::vector<Berth*> landing_;
};

}  // namespace

std::unique_ptr<Ferry> make_pinned_ferry(Stream& kernels, const std::vector<FerryLoad>& loads) {
  return std::make_unique<PinnedFerry>(kernels, loads);
}

}  // namespace hpmp::cuda
