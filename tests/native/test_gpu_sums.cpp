// Sums over rows, by blocks whose threads meet, against plain loops: exact, since of small
// integers.
#include "backend.h"
#include "check.h"
#include "engine/cuda/column_sums.h"
#include "gpu_memory.h"
#include "kernel_tensors.h"

using namespace hpmp;
using namespace kernel_test;

namespace {

/// [segments][rows][c] of integers that every type holds.
struct Numbers {
  Numbers(std::int64_t segments, std::int64_t rows, std::int64_t c, DType dtype)
      : tensor(Array(segments * rows, {c, 1, 1}), {{0, c}}, c, dtype),
        bytes(static_cast<std::size_t>(tensor.ref.bytes())) {
    for (std::int64_t k = 0; k < tensor.ref.elems(); ++k)
      tensor.put(k, std::uniform_int_distribution<>(-3, 3)(generator()));
    bytes.set(tensor.ref.data);
  }
  Tensor tensor;
  GpuBytes bytes;
};

void check_sums(std::int64_t segments, std::int64_t rows, std::int64_t c, DType dtype) {
  const cuda::ColumnSums sums({Gpu::get().stream, dtype}, segments, rows, c);
  const Numbers x(segments, rows, c, dtype), dy(segments, rows, c, dtype);
  GpuBytes scratch(sums.scratch_bytes());
  const cuda::SumPair* at =
      sums.run(cuda::kProducts, x.bytes.data(), dy.bytes.data(), scratch.data());
  std::vector<cuda::SumPair> got(static_cast<std::size_t>(segments * c));
  Gpu::get().stream.to_host(got.data(), at, got.size() * sizeof(cuda::SumPair));
  Gpu::get().stream.synchronize();
  scratch.check_guard();
  std::vector<cuda::SumPair> want(got.size(), {0, 0});
  for (std::int64_t k = 0; k < segments * rows * c; ++k) {
    cuda::SumPair& sum = want[static_cast<std::size_t>(k / (rows * c) * c + k % c)];
    sum.first += dy.tensor.value(k);
    sum.second += dy.tensor.value(k) * x.tensor.value(k);
  }
  for (std::size_t k = 0; k < got.size(); ++k) {
    CHECK_EQ(got[k].first, want[k].first);
    CHECK_EQ(got[k].second, want[k].second);
  }
}

}  // namespace

TEST(sums_have_every_row_once_however_many_blocks_and_strips_share_them) {
  if (!on_gpu()) return;
  for (DType dtype : {DType::fp32, DType::bf16}) {
    for (auto [segments, rows, c] : {std::tuple{1, 1, 1},
                                     {1, 40000, 3},
                                     {2, 5000, 24},
                                     {3, 700, 600},
                                     {5, 49, 64},
                                     {1, 3, 1030},
                                     {2, 30000, 8},
                                     {1, 1025, 256}}) {
      check_sums(segments, rows, c, dtype);
    }
  }
}
