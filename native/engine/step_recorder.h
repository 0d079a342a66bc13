// Stretches of a training step that neither send nor wait for messages: a GPU is given each as one.
#pragma once

#include <functional>
#include <map>

#include "engine/program.h"

namespace hpmp {

/// A stretch is run as it is once, so that nothing is left to set up, then recorded and from there
/// on run from the record. What changes from step to step the kernels read from the GPU's memory.
class StepRecorder {
 public:
  /// `steps` and `backend` must outlive it. Off on the host and where HPMP_CUDA_GRAPHS is 0.
  StepRecorder(const std::vector<Step>& steps, Backend& backend);

  bool is_on() const { return on_; }
  /// One past the stretch that `first` begins; `first` itself where it begins none.
  std::size_t end_of(std::size_t first) const;
  /// `work` is the stretch.
  void run(std::size_t first, const std::function<void()>& work);

 private:
  struct Stretch {
    bool warm = false;
    std::unique_ptr<Routine> record;
  };

  const std::vector<Step>& steps_;
  Backend& backend_;
  bool on_;
  std::map<std::size_t, Stretch> stretches_;  // by first step
};

}  // namespace hpmp
