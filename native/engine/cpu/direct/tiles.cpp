#include "engine/cpu/direct/tiles.h"

#include "engine/cpu/isa.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/code.h"

namespace hpmp::cpu {

using dnnl::memory;

bool is_tiled(const memory::desc& plain, const memory::desc& tiled) {
  const memory::dims dims = plain.get_dims();
  if (dims.size() != 4 || dims[0] % 16 != 0 || dims[1] % 16 != 0 || dims[2] * dims[3] != 1)
    return false;
  constexpr auto kFloat = memory::data_type::f32;
  return has_avx512() && plain == memory::desc(dims, kFloat, memory::format_tag::oihw) &&
         tiled == memory::desc(dims, kFloat, memory::format_tag::OIhw16i16o);
}

void add_tiles(const memory::dims& dims, const float* from, float* to) {
  constexpr std::int64_t kSide = 16;
  const auto transpose = winograd::avx512_code().transpose;
  const std::int64_t rows = dims[0] / kSide, columns = dims[1] / kSide;
  parallel_for(rows, true, [&](std::int64_t row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      alignas(64) float tile[kSide * kSide];
      transpose(from + (row * columns + column) * kSide * kSide, kSide, tile, kSide);
      for (std::int64_t o = 0; o < kSide; ++o) {
        float* sum = to + (row * kSide + o) * dims[1] + column * kSide;
#pragma omp simd
        for (std::int64_t i = 0; i < kSide; ++i) sum[i] += tile[o * kSide + i];
      }
    }
  });
}

}  // namespace hpmp::cpu
