// Plain weights of 3 x 3 taps as vectors of channels.
#pragma once

#include "engine/cpu/winograd/winograd.h"

namespace hpmp::cpu::winograd {

/// The weights of a block of output channels from `out` and one of input channels from `in`, each
/// of the code's lanes, as [in][tap][out]; weights: [output channels][in_channels][9].
void gather_taps(const Code& code, const float* weights, std::int64_t in_channels, std::int64_t out,
                 std::int64_t in, float* taps);

/// The same for the transpose of a convolution, whose output channels are `out_channels`: inputs
/// and outputs exchanged and taps in reverse order.
void gather_transposed_taps(const Code& code, const float* weights, std::int64_t out_channels,
                            std::int64_t out, std::int64_t in, float* taps);

}  // namespace hpmp::cpu::winograd
