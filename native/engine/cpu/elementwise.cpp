// Flat copies and sums.
#include "engine/cpu/elementwise.h"

#include <algorithm>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

void copy_elems(const TensorRef& to, const TensorRef& from, bool accumulate) {
  if (!to.data || to.data == from.data) return;
  ensure_same_layout(to, from);
  if (accumulate) return add_floats(to.data, from.data, to.elems());
  for_elems(to.elems(), [&](std::int64_t begin, std::int64_t end) {
    std::copy(from.data + begin, from.data + end, to.data + begin);
  });
}

void add_floats(float* to, const float* from, std::int64_t count) {
  for_elems(count, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t k = begin; k < end; ++k) to[k] += from[k];
  });
}

}  // namespace hpmp::cpu
