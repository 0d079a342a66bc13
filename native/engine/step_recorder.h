// Stretches of a step that neither send nor wait for messages: a GPU is given each as one.
#pragma once

#include <functional>
#include <map>

#include "engine/program.h"

namespace hpmp {

/// What becomes of an instruction in training, or in inference.
enum class Turn : std::uint8_t { skipped, alone, in_stretch };

/// A stretch is run as it is once, so that nothing is left to set up, then recorded and from there
/// on run from the record. What changes from step to step the kernels read from the GPU's memory.
class StepRecorder {
 public:
  /// `steps` and `backend` must outlive it. Off on the host and where HPMP_CUDA_GRAPHS is 0.
  StepRecorder(std::vector<Step>& steps, Backend& backend,
               const std::function<Turn(const Step&)>& turn_of);

  /// All steps in turn; each is alone where this is off, or `in_stretches` is false.
  /// `before` and `after`: every stretch, told by its first step, and every step that is alone.
  void run(bool in_stretches, const std::function<void(const Step&)>& before,
           const std::function<void(Step&)>& execute,
           const std::function<void(const Step&)>& after);

 private:
  struct Stretch {
    bool warm = false;
    std::unique_ptr<Routine> record;
  };

  /// One past the stretch that `first` begins.
  std::size_t end_of(std::size_t first) const;
  /// `work` is the stretch.
  void run_stretch(std::size_t first, const std::function<void()>& work);

  std::vector<Step>& steps_;
  Backend& backend_;
  bool on_;
  std::vector<Turn> turns_;                   // by step
  std::map<std::size_t, Stretch> stretches_;  // by first step
};

}  // namespace hpmp
