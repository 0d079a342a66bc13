#include "engine/cuda/staged.h"

namespace hpmp::cuda {
namespace {

std::size_t size(const FerryLoad& load) { return static_cast<std::size_t>(load.bytes); }

class StagedDeparture final : public Departure {
 public:
  StagedDeparture(Lanes& lanes, const FerryLoad& load, std::byte* dock)
      : lanes_(lanes),
        load_(load),
        dock_(dock),
        packed_(lanes.kernels.device(), false),
        copied_(lanes.kernels.device(), false) {}

  const std::byte* dock() const override { return dock_; }
  void begin() override {
    // What still leaves for the GPU from this memory goes first. (What left for the host was sent,
    // or the plan would not give its memory away.)
    lanes_.yard.delay(lanes_.out, dock_, load_.bytes);
    packed_.record(lanes_.kernels);
    lanes_.out.wait_for(packed_);
    lanes_.out.to_host(dock_, load_.buffer, size(load_));
    copied_.record(lanes_.out);
  }
  bool is_done() override { return copied_.has_passed(); }
  void finish() override { copied_.synchronize(); }

 private:
  Lanes& lanes_;
  FerryLoad load_;
  std::byte* dock_;
  Event packed_, copied_;
};

class StagedArrival final : public Arrival {
 public:
  StagedArrival(Lanes& lanes, const FerryLoad& load, std::byte* dock)
      : lanes_(lanes),
        load_(load),
        dock_(dock),
        emptied_(lanes.kernels.device(), false),
        copied_(lanes.kernels.device(), false) {}

  std::byte* buffer() const override { return load_.buffer; }
  std::byte* dock() const override { return dock_; }
  void begin() override { emptied_.record(lanes_.kernels); }
  bool is_free() override { return lanes_.yard.is_free(dock_, load_.bytes); }
  void clear() override { lanes_.yard.clear(dock_, load_.bytes); }
  void land() override {
    lanes_.in.wait_for(emptied_);
    lanes_.in.to_device(load_.buffer, dock_, size(load_));
    copied_.record(lanes_.in);
    lanes_.kernels.wait_for(copied_);
    lanes_.yard.occupy(dock_, load_.bytes, copied_);
  }

 private:
  Lanes& lanes_;
  FerryLoad load_;
  std::byte* dock_;
  Event emptied_, copied_;
};

}  // namespace

std::unique_ptr<Departure> staged_departure(Lanes& lanes, const FerryLoad& load, std::byte* dock) {
  return std::make_unique<StagedDeparture>(lanes, load, dock);
}

std::unique_ptr<Arrival> staged_arrival(Lanes& lanes, const FerryLoad& load, std::byte* dock) {
  return std::make_unique<StagedArrival>(lanes, load, dock);
}

}  // namespace hpmp::cuda
