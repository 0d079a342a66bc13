#include "engine/step_inputs.h"

#include <algorithm>
#include <cstring>

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
  image_bytes_ = floats * kFloat;
  const std::int64_t label_bytes = plan.grid.shards * shard_labels_ * kLabel;
  image_memory_ = backend.allocate(image_bytes_, "the images of a step");
  label_memory_ = backend.allocate(label_bytes, "labels");
  staging_ = backend.allocate_staging(image_bytes_ + label_bytes);
  bytes_ = image_bytes_ + label_bytes;
}

void StepInputs::begin(const float* images, const std::int64_t* labels) {
  images_ = images;
  labels_ = labels;
  if (backend_.is_host()) return;
  for (const auto& [shard, at] : places_)
    upload(image_memory_.get() + at * kFloat, images + shard * shard_elems_, shard_elems_ * kFloat,
           staging_.get() + at * kFloat);
  if (labels == nullptr) return;
  labels_ = reinterpret_cast<const std::int64_t*>(label_memory_.get());
  upload(label_memory_.get(), labels, shards_ * shard_labels_ * kLabel,
         staging_.get() + image_bytes_);
}

/// Piece by piece, so that the GPU fetches one while the cores copy the next.
void StepInputs::upload(std::byte* to, const void* from, std::int64_t bytes, std::byte* by) {
  constexpr std::int64_t kPiece = 8 << 20, kPart = 256 << 10;
  const auto* source = static_cast<const std::byte*>(from);
  for (std::int64_t first = 0; first < bytes; first += kPiece) {
    const std::int64_t end = std::min(bytes, first + kPiece);
#pragma omp parallel for
    for (std::int64_t at = first; at < end; at += kPart)
      std::memcpy(by + at, source + at, static_cast<std::size_t>(std::min(end - at, kPart)));
    backend_.put(to + first, by + first, end - first);
  }
}

const float* StepInputs::images(std::int32_t shard) const {
  if (backend_.is_host()) return images_ + shard * shard_elems_;
  return reinterpret_cast<const float*>(image_memory_.get()) + places_.at(shard);
}

const std::int64_t* StepInputs::labels(std::int32_t shard) const {
  return labels_ == nullptr ? nullptr : labels_ + shard * shard_labels_;
}

}  // namespace hpmp
