#include "engine/device_bench.h"

#include <omp.h>

#include <algorithm>

#include "engine/bench_clock.h"
#include "engine/float_array.h"

namespace hpmp {
namespace {

double median_seconds(int repeats, Backend& backend, const std::function<void()>& work) {
  BenchClock clock(backend, work);
  std::vector<double> seconds;
  for (int i = 0; i < std::max(repeats, 1); ++i) seconds.push_back(clock.seconds());
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

/// Half of the channels of an image, out of it and back, as messages do.
double pack_rate(int repeats, Backend& backend) {
  constexpr std::int64_t n = 32, c = 128, side = 56, part = 64;
  const FloatArray image(backend, n * c * side * side), buffer(backend, n * part * side * side);
  const TensorRef whole{image.data(), n, c, side, side, backend.block(c)};
  const TensorRef packed{buffer.data(), n, part, side, side, backend.block(part)};
  const auto pack = backend.make_copies({{packed, 0, whole, 32, part, false}});
  const auto unpack = backend.make_copies({{whole, 32, packed, 0, part, true}});
  const double seconds = median_seconds(repeats, backend, [&] {
    pack->run();
    unpack->run();
  });
  return 2.0 * static_cast<double>(buffer.bytes()) / seconds;
}

double update_seconds(int repeats, Backend& backend) {
  constexpr std::int64_t count = std::int64_t{4096} * 2048;
  const FloatArray weight(backend, count), grad(backend, count), momentum(backend, count);
  backend.begin_step({}, update_rule({}, 1));
  const auto reset = backend.make_reset({{grad.data(), count}});
  const auto update = backend.make_update({{grad.data(), weight.data(), {momentum.data()}, count}});
  const double seconds = median_seconds(repeats, backend, [&] {
    reset->run();
    update->run();
  });
  return seconds / static_cast<double>(count);
}

void measure_copies(int repeats, Backend& backend, DeviceFigures& figures) {
  constexpr std::int64_t bytes = std::int64_t{1} << 26;
  const Memory here = backend.allocate_staging(bytes), there = backend.allocate(bytes, "copies");
  figures.to_host_bytes_per_second = bytes / median_seconds(repeats, backend, [&] {
                                       backend.get(here.get(), there.get(), bytes);
                                     });
  figures.to_device_bytes_per_second = bytes / median_seconds(repeats, backend, [&] {
                                         backend.put(there.get(), here.get(), bytes);
                                       });
}

}  // namespace

DeviceFigures measure_device(int repeats, const EngineOptions& device) {
  if (device.threads > 0) omp_set_num_threads(device.threads);
  const std::unique_ptr<Backend> backend = open_backend(device, DType::fp32);
  DeviceFigures figures;
  figures.pack_bytes_per_second = pack_rate(repeats, *backend);
  figures.update_seconds_per_elem = update_seconds(repeats, *backend);
  if (!backend->is_host()) measure_copies(repeats, *backend, figures);
  return figures;
}

}  // namespace hpmp
