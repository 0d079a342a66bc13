#include "engine/step_recorder.h"

#include "base/switch.h"

namespace hpmp {

StepRecorder::StepRecorder(std::vector<Step>& steps, Backend& backend,
                           const std::function<Turn(const Step&)>& turn_of)
    : steps_(steps),
      backend_(backend),
      on_(!backend.is_host() && is_switched_on("HPMP_CUDA_GRAPHS")) {
  for (const Step& step : steps) turns_.push_back(turn_of(step));
}

void StepRecorder::run(bool in_stretches, const std::function<void(const Step&)>& before,
                       const std::function<void(Step&)>& execute,
                       const std::function<void(const Step&)>& after) {
  for (std::size_t i = 0; i < steps_.size();) {
    const std::size_t first = i++;
    if (turns_[first] == Turn::skipped) continue;
    before(steps_[first]);
    if (turns_[first] == Turn::alone || !on_ || !in_stretches) {
      execute(steps_[first]);
    } else {
      i = end_of(first);
      run_stretch(first, [&] {
        for (std::size_t k = first; k < i; ++k) {
          if (turns_[k] == Turn::in_stretch) execute(steps_[k]);
        }
      });
    }
    after(steps_[first]);
  }
}

std::size_t StepRecorder::end_of(std::size_t first) const {
  std::size_t end = first;
  while (end < steps_.size() && turns_[end] != Turn::alone) ++end;
  return end;
}

void StepRecorder::run_stretch(std::size_t first, const std::function<void()>& work) {
  Stretch& stretch = stretches_[first];
  if (!stretch.warm) {
    stretch.warm = true;
    return work();
  }
  if (stretch.record == nullptr) stretch.record = backend_.record(work);
  stretch.record->run();
}

}  // namespace hpmp
