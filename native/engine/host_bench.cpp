#include "engine/host_bench.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "engine/param_store.h"
#include "engine/stopwatch.h"
#include "engine/tensor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hpmp {
namespace {

constexpr int kChains = 12;  // enough to hide the latency of a multiply-add
constexpr int kRounds = 200000;

template <class F>
double median_seconds(int repeats, F f) {
  f();
  std::vector<double> seconds;
  for (int i = 0; i < std::max(repeats, 1); ++i) {
    const Stopwatch watch;
    f();
    seconds.push_back(watch.seconds());
  }
  std::nth_element(seconds.begin(),
                   seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                   seconds.end());
  return seconds[seconds.size() / 2];
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void multiply_add_512(float* out) {
  __m512 sums[kChains];
  for (auto& s : sums) s = _mm512_set1_ps(out[0]);
  const __m512 a = _mm512_set1_ps(0.999F), b = _mm512_set1_ps(0.001F);
  for (int i = 0; i < kRounds; ++i) {
    for (auto& s : sums) s = _mm512_fmadd_ps(s, a, b);
  }
  for (const auto& s : sums) out[0] += _mm512_cvtss_f32(s);
}

__attribute__((target("avx2,fma"))) void multiply_add_256(float* out) {
  __m256 sums[kChains];
  for (auto& s : sums) s = _mm256_set1_ps(out[0]);
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.001F);
  for (int i = 0; i < kRounds; ++i) {
    for (auto& s : sums) s = _mm256_fmadd_ps(s, a, b);
  }
  for (const auto& s : sums) out[0] += _mm256_cvtss_f32(s);
}

/// Floats of the vectors used.
int multiply_add(float* out) {
  const bool wide = __builtin_cpu_supports("avx512f") != 0;
  wide ? multiply_add_512(out) : multiply_add_256(out);
  return wide ? 16 : 8;
}
#else
int multiply_add(float* out) {
  float sums[kChains][4];
  for (auto& s : sums) std::fill(s, s + 4, out[0]);
  for (int i = 0; i < kRounds; ++i) {
    for (auto& s : sums) {
      for (float& v : s) v = v * 0.999F + 0.001F;
    }
  }
  for (const auto& s : sums) out[0] += s[0];
  return 4;
}
#endif

double fma_rate(int repeats) {
  volatile float sink = 0;
  int width = 0;
  const double seconds = median_seconds(repeats, [&] {
    float out = sink;
    width = multiply_add(&out);
    sink = out;
  });
  return 2.0 * kChains * kRounds * width / seconds;
}

/// Half of the channels of an image, out of it and back, as messages do.
double pack_rate(int repeats) {
  constexpr std::int64_t n = 32, c = 128, side = 56, part = 64;
  std::vector<float> image(n * c * side * side, 1), buffer(n * part * side * side, 1);
  const TensorRef whole{image.data(), n, c, side, side, channel_block(c)};
  const TensorRef packed{buffer.data(), n, part, side, side, channel_block(part)};
  const double seconds = median_seconds(repeats, [&] {
    copy_channels(packed, 0, whole, 32, part, false);
    copy_channels(whole, 32, packed, 0, part, true);
  });
  return 2.0 * sizeof(float) * static_cast<double>(buffer.size()) / seconds;
}

double update_rate(int repeats) {
  constexpr std::int64_t rows = 4096, columns = 2048;
  Graph graph;
  graph.params.push_back({"weight", ParamRole::weight, {rows, columns}, true});
  RankProgram program;
  program.params.push_back({ParamId(0), {{0, rows}}, {{0, rows}}});
  const std::unique_ptr<Backend> host = open_host_backend();
  ParamStore store(graph, program, true, *host);
  const std::unique_ptr<Routine> update = host->make_update(store.update_ranges(ParamId(0)));
  const double seconds = median_seconds(repeats, [&] {
    store.begin_step();
    update->run();
  });
  return seconds / static_cast<double>(rows * columns);
}

}  // namespace

HostFigures measure_host(int repeats, int threads) {
  if (threads > 0) omp_set_num_threads(threads);
  return {fma_rate(repeats), pack_rate(repeats), update_rate(repeats)};
}

}  // namespace hpmp
