#include "engine/step_recorder.h"

#include <cstdlib>
#include <string_view>

namespace hpmp {
namespace {

bool is_wanted() {
  const char* given = std::getenv("HPMP_CUDA_GRAPHS");
  return given == nullptr || std::string_view(given) != "0";
}

}  // namespace

StepRecorder::StepRecorder(const std::vector<Step>& steps, Backend& backend)
    : steps_(steps), backend_(backend), on_(!backend.is_host() && is_wanted()) {}

std::size_t StepRecorder::end_of(std::size_t first) const {
  std::size_t end = first;
  while (end < steps_.size() && steps_[end].instr->message < 0) ++end;
  return end;
}

void StepRecorder::run(std::size_t first, const std::function<void()>& work) {
  Stretch& stretch = stretches_[first];
  if (!stretch.warm) {
    stretch.warm = true;
    return work();
  }
  if (stretch.record == nullptr) stretch.record = backend_.record(work);
  stretch.record->run();
}

}  // namespace hpmp
