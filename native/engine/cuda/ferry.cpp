#include "engine/cuda/ferry.h"

#include <map>

#include "base/error.h"
#include "engine/cuda/staged.h"
#include "engine/cuda/unstaged.h"
#include "plan/arena.h"

namespace hpmp::cuda {
namespace {

class GpuFerry final : public Ferry {
 public:
  GpuFerry(Stream& kernels, const std::vector<FerryLoad>& loads) : lanes_(kernels) {
    // Docks share memory where the messages' lives do not overlap.
    std::vector<Lifetime> lives;
    for (const FerryLoad& l : loads)
      lives.push_back({l.passage == Passage::staged ? l.bytes : 0, l.first, l.last, 0});
    const std::int64_t bytes = assign_offsets(lives);
    pinned_ = std::make_unique<PinnedBytes>(kernels.device(), static_cast<std::size_t>(bytes));
    for (std::size_t k = 0; k < loads.size(); ++k) add(loads[k], pinned_->data() + lives[k].offset);
  }

  Departure& departure(Tag tag) override { return of(departures_, tag); }
  Arrival& arrival(Tag tag) override { return of(arrivals_, tag); }

 private:
  void add(const FerryLoad& load, std::byte* pinned) {
    const bool staged = load.passage == Passage::staged;
    if (load.is_sent)
      departures_[load.tag] =
          staged ? staged_departure(lanes_, load, pinned) : unstaged_departure(lanes_, load);
    else
      arrivals_[load.tag] =
          staged ? staged_arrival(lanes_, load, pinned) : unstaged_arrival(lanes_, load);
  }

  template <class Way>
  static Way& of(const std::map<Tag, std::unique_ptr<Way>>& ways, Tag tag) {
    const auto found = ways.find(tag);
    ensure(found != ways.end(), "every message of a rank has its way");
    return *found->second;
  }

  Lanes lanes_;
  std::unique_ptr<PinnedBytes> pinned_;
  std::map<Tag, std::unique_ptr<Departure>> departures_;
  std::map<Tag, std::unique_ptr<Arrival>> arrivals_;
};

}  // namespace

std::unique_ptr<Ferry> make_gpu_ferry(Stream& kernels, const std::vector<FerryLoad>& loads) {
  return std::make_unique<GpuFerry>(kernels, loads);
}

}  // namespace hpmp::cuda
