// Flat copies and sums.
#include "engine/cpu/elementwise.h"

#include <algorithm>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

void copy_elems(const TensorRef& to, const TensorRef& from, bool accumulate) {
  if (!to.data || to.data == from.data) return;
  ensure_same_layout(to, from);
  with_storage(to.dtype, [&](auto stored) {
    with_storage(from.dtype, [&](auto read) {
      auto* sum = TensorOf<decltype(stored)>(to).data;
      const auto* x = TensorOf<decltype(read)>(from).data;
      with_flag(accumulate, [&](auto add) {
        for_elems(to.elems(), [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
          for (std::int64_t k = begin; k < end; ++k) put(sum[k], static_cast<float>(x[k]), add);
        });
      });
    });
  });
}

void add_elems(void* to, const void* from, std::int64_t count, DType dtype) {
  with_storage(dtype, [&](auto stored) {
    using T = decltype(stored);
    T* sum = static_cast<T*>(to);
    const T* x = static_cast<const T*>(from);
    for_elems(count, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t k = begin; k < end; ++k) put(sum[k], x[k], std::true_type{});
    });
  });
}

}  // namespace hpmp::cpu
