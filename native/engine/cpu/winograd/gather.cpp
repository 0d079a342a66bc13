#include "engine/cpu/winograd/gather.h"

#include "engine/cpu/loops.h"

namespace hpmp::cpu::winograd {

void gather_taps(const Code& code, const float* weights, std::int64_t in_channels, std::int64_t out,
                 std::int64_t in, float* taps) {
  const std::int64_t row = in_channels * 9;
  const int lanes = code.lanes;
  const float* from = weights + out * row + in * 9;
  for (int i = 0; i < 9; ++i)
    code.transpose(from + i * lanes, row, taps + i * lanes * lanes, lanes);
}

void gather_transposed_taps(const Code& code, const float* weights, std::int64_t out_channels,
                            std::int64_t out, std::int64_t in, float* taps) {
  const std::int64_t row = out_channels * 9;
  const int lanes = code.lanes;
  const float* from = weights + in * row + out * 9;
  alignas(64) float turned[kLanes * 9 * kLanes];  // [out][tap][in]
  for (int i = 0; i < 9; ++i)
    code.transpose(from + i * lanes, row, turned + i * lanes * lanes, lanes);
  for (int tap = 0; tap < 9; ++tap)
    code.transpose(turned + tap * lanes, 9 * lanes, taps + (8 - tap) * lanes, 9 * lanes);
}

}  // namespace hpmp::cpu::winograd
