#include "engine/host_bench.h"

#include <algorithm>
#include <vector>

#include "engine/stopwatch.h"

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

}  // namespace

double measure_multiply_adds(int repeats) {
  volatile float sink = 0;
  int width = 0;
  const double seconds = median_seconds(repeats, [&] {
    float out = sink;
    width = multiply_add(&out);
    sink = out;
  });
  return 2.0 * kChains * kRounds * width / seconds;
}

}  // namespace hpmp
