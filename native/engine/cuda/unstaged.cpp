#include "engine/cuda/unstaged.h"

namespace hpmp::cuda {
namespace {

class DirectDeparture final : public Departure {
 public:
  DirectDeparture(Lanes& lanes, const FerryLoad& load)
      : lanes_(lanes), buffer_(load.buffer), packed_(lanes.kernels.device(), false) {}

  const std::byte* dock() const override { return buffer_; }
  void begin() override { packed_.record(lanes_.kernels); }
  bool is_done() override { return packed_.has_passed(); }
  void finish() override { packed_.synchronize(); }

 private:
  Lanes& lanes_;
  const std::byte* buffer_;
  Event packed_;
};

class SharedDeparture final : public Departure {
 public:
  SharedDeparture(Lanes& lanes, const FerryLoad& load)
      : lanes_(lanes),
        load_(load),
        packed_(lanes.kernels.device(), false),
        copied_(lanes.kernels.device(), false) {}

  const std::byte* dock() const override { return nullptr; }
  void begin() override { packed_.record(lanes_.kernels); }
  void admit() override {
    lanes_.out.wait_for(packed_);
    lanes_.out.copy_between(load_.dock, load_.buffer, static_cast<std::size_t>(load_.bytes));
    copied_.record(lanes_.out);
  }
  bool is_done() override { return copied_.has_passed(); }
  void finish() override { copied_.synchronize(); }

 private:
  Lanes& lanes_;
  FerryLoad load_;
  Event packed_, copied_;
};

class UnstagedArrival final : public Arrival {
 public:
  UnstagedArrival(Lanes& lanes, const FerryLoad& load)
      : lanes_(lanes), load_(load), unpacked_(lanes.kernels.device(), false) {}

  std::byte* buffer() const override { return load_.dock; }
  std::byte* dock() const override {
    return load_.passage == Passage::shared ? nullptr : load_.dock;
  }
  void begin() override {}
  bool is_free() override { return lanes_.yard.is_free(load_.dock, load_.bytes); }
  void clear() override { lanes_.yard.clear(load_.dock, load_.bytes); }
  void land() override {}
  void release() override {
    unpacked_.record(lanes_.kernels);
    lanes_.yard.occupy(load_.dock, load_.bytes, unpacked_);
  }

 private:
  Lanes& lanes_;
  FerryLoad load_;
  Event unpacked_;
};

}  // namespace

std::unique_ptr<Departure> unstaged_departure(Lanes& lanes, const FerryLoad& load) {
  if (load.passage == Passage::shared) return std::make_unique<SharedDeparture>(lanes, load);
  return std::make_unique<DirectDeparture>(lanes, load);
}

std::unique_ptr<Arrival> unstaged_arrival(Lanes& lanes, const FerryLoad& load) {
  return std::make_unique<UnstagedArrival>(lanes, load);
}

}  // namespace hpmp::cuda
