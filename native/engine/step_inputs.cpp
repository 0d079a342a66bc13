#include "engine/step_inputs.h"

namespace hpmp {
namespace {

constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
constexpr auto kLabel = static_cast<std::int64_t>(sizeof(std::int64_t));

}  // namespace

StepInputs::StepInputs(const Plan& plan, const RankProgram& program, Backend& backend,
                       std::int64_t elems, std::int64_t labels)
    : backend_(backend),
      shards_(plan.grid.shards),
      shard_elems_(plan.grid.shard_samples() * elems),
      shard_labels_(plan.grid.shard_samples() * labels) {
  if (backend.is_host()) return;
  std::int64_t floats = 0;
  for (const Instr& instr : program.instrs) {
    if (instr.kind == InstrKind::load && places_.emplace(instr.shard, floats).second)
      floats += shard_elems_;
  }
  image_memory_ = backend.allocate(floats * kFloat, "the images of a step");
  label_memory_ = backend.allocate(plan.grid.shards * shard_labels_ * kLabel, "labels");
  bytes_ = floats * kFloat + plan.grid.shards * shard_labels_ * kLabel;
}

void StepInputs::begin(const float* images, const std::int64_t* labels) {
  images_ = images;
  labels_ = labels;
  if (backend_.is_host()) return;
  auto* to = reinterpret_cast<float*>(image_memory_.get());
  for (const auto& [shard, at] : places_)
    backend_.put(to + at, images + shard * shard_elems_, shard_elems_ * kFloat);
  if (labels == nullptr) return;
  labels_ = reinterpret_cast<const std::int64_t*>(label_memory_.get());
  backend_.put(label_memory_.get(), labels, shards_ * shard_labels_ * kLabel);
}

const float* StepInputs::images(std::int32_t shard) const {
  if (backend_.is_host()) return images_ + shard * shard_elems_;
  return reinterpret_cast<const float*>(image_memory_.get()) + places_.at(shard);
}

const std::int64_t* StepInputs::labels(std::int32_t shard) const {
  return labels_ == nullptr ? nullptr : labels_ + shard * shard_labels_;
}

}  // namespace hpmp
