// What a device does at best for the parts of a step that are no ops: messages, optimizer steps.
#pragma once

#include "engine/engine.h"

namespace hpmp {

struct DeviceFigures {
  double pack_bytes_per_second = 0;     // of a message, in and out
  double update_seconds_per_elem = 0;   // a step's clearing of gradients included
  double to_host_bytes_per_second = 0;  // of a GPU's messages, pinned; 0 for a CPU
  double to_device_bytes_per_second = 0;
};

/// Medians of `repeats`. Errors: `device_error`, `out_of_memory`.
DeviceFigures measure_device(int repeats, const EngineOptions& device);

}  // namespace hpmp
