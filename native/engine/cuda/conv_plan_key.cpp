// Specs that one plan serves have one key.
#include "engine/cuda/conv_plans.h"

namespace hpmp::cuda {

std::string key_of(const ConvPlanSpec& p) {
  std::string key;
  const ConvShape& s = p.shape;
  for (int part :
       {static_cast<int>(p.pass), static_cast<int>(p.storage), static_cast<int>(p.numerics),
        int{p.biased}, int{p.adds}, int{p.relu}, s.n, s.c, s.k, s.groups})
    key += std::to_string(part) + ' ';
  for (const PoolAxis& a : {s.rows, s.columns}) {
    for (int part : {a.input, a.output, a.kernel, a.stride, a.pad, a.dilation})
      key += std::to_string(part) + ' ';
  }
  return key + std::to_string(p.most);
}

}  // namespace hpmp::cuda
