// What all messages of a rank's GPU share: the streams they go by, and which docks are in use.
#pragma once

#include "engine/cuda/yard.h"

namespace hpmp::cuda {

struct Lanes {
  /// `packing`: the stream of the kernels; must outlive this.
  explicit Lanes(Stream& packing) : kernels(packing), out(packing.device()), in(packing.device()) {}

  Stream& kernels;
  Stream out, in;
  Yard yard;
};

}  // namespace hpmp::cuda
