// What cores do at best: multiply-adds, copies of channels, optimizer steps.
#pragma once

namespace hpmp {

struct HostFigures {
  double fma_flops_per_second = 0;     // single precision, widest vectors of the processor
  double pack_bytes_per_second = 0;    // of a message, in and out
  double update_seconds_per_elem = 0;  // a step's clearing of gradients included
};

/// Measures with `threads` OpenMP threads (multiply-adds with one); the median of `repeats`.
HostFigures measure_host(int repeats, int threads);

}  // namespace hpmp
