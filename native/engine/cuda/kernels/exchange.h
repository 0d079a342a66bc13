// Arguments of the statistics that ranks exchange: sums per channel, added up and put on the wire.
#pragma once

#include "engine/cuda/kernels/sums.h"

namespace hpmp::cuda {

/// One item per channel.
struct AddPairsArgs {
  int items;
  const SumPair* from;
  SumPair* to;
};

/// wire: [items][2], the mean and the sum of squared distances from it or, of gradients, the two
/// sums; values: that a sum is of.
struct EncodeSumsArgs {
  int items, backward;
  double values;
  const SumPair* sums;
  float* wire;
};

/// The other way; adds where `accumulate`.
struct DecodeSumsArgs {
  int items, backward, accumulate;
  double values;
  const float* wire;
  SumPair* sums;
};

}  // namespace hpmp::cuda
