// The statistics that ranks exchange.
#include "engine/cuda/kernels/exchange.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

HPMP_DEVICE void add_pairs(const AddPairsArgs& a, int i) {
  a.to[i].first += a.from[i].first;
  a.to[i].second += a.from[i].second;
}
HPMP_PLAIN_KERNEL(add_pairs, AddPairsArgs)

HPMP_DEVICE void encode_sums(const EncodeSumsArgs& a, int i) {
  const SumPair sum = a.sums[i];
  const double mean = sum.first / a.values;
  a.wire[2 * i] = static_cast<float>(a.backward ? sum.first : mean);
  a.wire[2 * i + 1] = static_cast<float>(a.backward ? sum.second : sum.second - mean * sum.first);
}
HPMP_PLAIN_KERNEL(encode_sums, EncodeSumsArgs)

HPMP_DEVICE void decode_sums(const DecodeSumsArgs& a, int i) {
  const double first = a.wire[2 * i], second = a.wire[2 * i + 1];
  SumPair sum{first, second};
  if (!a.backward) sum = {a.values * first, second + a.values * first * first};
  if (a.accumulate) sum = {a.sums[i].first + sum.first, a.sums[i].second + sum.second};
  a.sums[i] = sum;
}
HPMP_PLAIN_KERNEL(decode_sums, DecodeSumsArgs)

}  // namespace hpmp::cuda
