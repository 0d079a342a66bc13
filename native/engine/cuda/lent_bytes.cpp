#include "engine/cuda/lent_bytes.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace hpmp::cuda {
namespace {

/// What a driver maps as a whole: nothing else of this process is opened with it.
constexpr std::size_t kGranularity = std::size_t{2} << 20;

std::size_t rounded(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + kGranularity - 1) / kGranularity * kGranularity;
}

}  // namespace

/// Kept memory that nothing here uses now.
struct LentBytes::Shelf {
  /// Never destroyed: what ends after it may give something back.
  static Shelf& get() {
    static auto* shelf = new Shelf;
    return *shelf;
  }

  /// The smallest that is enough; one without data where there is none.
  Block take(int device, std::size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock);
    auto best = blocks.end();
    for (auto b = blocks.begin(); b != blocks.end(); ++b) {
      const bool enough = b->device->number() == device && b->bytes >= bytes;
      if (enough && (best == blocks.end() || b->bytes < best->bytes)) best = b;
    }
    if (best == blocks.end()) return {};
    Block taken = std::move(*best);
    blocks.erase(best);
    return taken;
  }
  void give(Block block) {
    const std::lock_guard<std::mutex> guard(lock);
    blocks.push_back(std::move(block));
  }

  std::mutex lock;
  std::vector<Block> blocks;
};

LentBytes::LentBytes(std::shared_ptr<const Device> device, std::size_t bytes)
    : block_(Shelf::get().take(device->number(), rounded(bytes))) {
  kept_ = block_.data != nullptr;
  if (kept_) return;
  block_ = {std::move(device), nullptr, rounded(bytes)};
  DeviceAddress address = 0;
  check(block_.device->driver(), block_.device->driver().allocate(&address, block_.bytes),
        ("allocate " + std::to_string(block_.bytes) + " bytes on the GPU for messages").c_str());
  block_.data = reinterpret_cast<std::byte*>(address);
}

LentBytes::~LentBytes() {
  if (kept_) {
    Shelf::get().give(std::move(block_));
    return;
  }
  block_.device->use_in_destructor();
  block_.device->driver().free(reinterpret_cast<DeviceAddress>(block_.data));
}

}  // namespace hpmp::cuda
