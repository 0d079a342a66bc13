// The driver, streams, captured runs and copies of the GPU backend; with HPMP_TEST_BACKEND=cuda, on
// whatever GPU the driver has (in CI, the host).
#include <numeric>

#include "backend.h"
#include "check.h"
#include "engine/cuda/conv_rehearsal.h"
#include "engine/cuda/copies.h"
#include "engine/cuda/kernels/update.h"
#include "gpu_memory.h"
#include "one_op.h"

using namespace hpmp;
using namespace kernel_test;

namespace {

template <class T>
std::vector<T> numbers(std::size_t count) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

template <class T>
GpuBytes on_device(const std::vector<T>& values) {
  GpuBytes bytes(values.size() * sizeof(T));
  bytes.set(values.data());
  return bytes;
}

std::vector<float> floats(const GpuBytes& bytes) {
  std::vector<float> values(bytes.bytes() / sizeof(float));
  bytes.get(values.data());
  bytes.check_guard();
  return values;
}

TensorRef nhwc(const GpuBytes& bytes, std::int64_t n, std::int64_t c, std::int64_t h,
               std::int64_t w) {
  return {bytes.data(), n, c, h, w, c};
}

}  // namespace

TEST(a_driver_that_is_not_there_is_named_with_the_cure) {
  CHECK_THROWS(cuda::load_driver("/no/libcuda.so"), ErrorCode::device_error, "HPMP_CUDA_DRIVER");
  CHECK_THROWS(cuda::load_driver("libc.so.6"), ErrorCode::device_error, "has no cuInit");
}

TEST(a_kernel_that_is_not_there_is_named) {
  if (!on_gpu()) return;
  CHECK_THROWS(Gpu::get().device->function("no_such_kernel"), ErrorCode::device_error,
               "no_such_kernel");
}

TEST(a_gpu_that_is_not_there_is_refused) {
  if (!on_gpu()) return;
  CHECK_THROWS(cuda::Device::open(-1), ErrorCode::invalid_argument, "no GPU -1");
  CHECK_THROWS(cuda::DeviceBytes(Gpu::get().device, std::size_t{1} << 50, "a test"),
               ErrorCode::out_of_memory, "for a test");
}

TEST(a_stream_copies_fills_and_waits_in_order) {
  if (!on_gpu()) return;
  cuda::Stream& stream = Gpu::get().stream;
  const std::vector<float> values = numbers<float>(1000);
  GpuBytes a = on_device(values), b(a.bytes());
  stream.copy(b.data(), a.data(), a.bytes());
  stream.fill(b.data(), 0, 4);
  cuda::Event done(Gpu::get().device, true);
  done.record(stream);
  cuda::Stream other(Gpu::get().device);
  other.wait_for(done);
  cuda::PinnedBytes pinned(Gpu::get().device, a.bytes());
  other.to_host(pinned.data(), b.data(), a.bytes());
  other.synchronize();
  CHECK(done.has_passed());
  const auto* got = reinterpret_cast<const float*>(pinned.data());
  CHECK(got[0] == 0 && got[1] == 2 && got[999] == 1000);
}

TEST(a_captured_run_is_done_whenever_it_is_launched_and_not_before) {
  if (!on_gpu()) return;
  cuda::Stream& stream = Gpu::get().stream;
  const std::vector<float> ones(8, 1);
  GpuBytes weight = on_device(ones), grad = on_device(ones), velocity(weight.bytes());
  stream.fill(velocity.data(), 0, velocity.bytes());
  const cuda::PlainEntry<cuda::UpdateArgs> update(*Gpu::get().device, "update");
  UpdateRule rule;
  rule.sgd.rate = 0.5F;
  const auto at = [](const GpuBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); };
  const cuda::CapturedRun run(stream, [&] {
    update.run(stream, 8, {0, rule, {at(grad), at(weight), {at(velocity)}, 8, false}, nullptr});
  });
  CHECK(floats(weight) == ones);
  for (int k = 0; k < 3; ++k) run.launch(stream);
  CHECK(floats(weight) == std::vector<float>(8, -0.5F));
}

TEST(channels_are_copied_and_added_whatever_their_alignment) {
  if (!on_gpu()) return;
  const cuda::Copies copies({Gpu::get().stream});
  for (const auto& [to_c, from_c, count] :
       {std::tuple{0, 0, 16}, {4, 8, 8}, {1, 2, 5}, {3, 0, 1}, {8, 4, 16}}) {
    const std::vector<float> values = numbers<float>(2 * 6 * 24);
    GpuBytes from = on_device(values), to = on_device(std::vector<float>(2 * 6 * 32, 7));
    const TensorRef a = nhwc(from, 2, 24, 2, 3), b = nhwc(to, 2, 32, 2, 3);
    copies.channels(b, to_c, a, from_c, count, false);
    copies.channels(b, to_c, a, from_c, count, true);
    const std::vector<float> got = floats(to);
    for (int row = 0; row < 12; ++row) {
      for (int c = 0; c < 32; ++c) {
        const bool copied = c >= to_c && c < to_c + count;
        const auto source = static_cast<std::size_t>(row * 24 + from_c + c - to_c);
        CHECK_EQ(got[static_cast<std::size_t>(row * 32 + c)], copied ? 2 * values[source] : 7);
      }
    }
  }
}

TEST(dropout_draws_the_same_bits_as_on_the_cpu) {
  const OneDropout op({{2, 9}, {20, 21}});
  const std::vector<float> x = numbers<float>(3 * 8 * 15);
  std::vector<float> here(x.size()), there(x.size());
  ForwardArgs args;
  args.inputs = {{const_cast<float*>(x.data()), 3, 8, 5, 3, 8}};
  args.step.seed = 11;
  args.step.step = 5;
  args.step.first_sample = 6;
  args.output = {here.data(), 3, 8, 5, 3, 8};
  prepare_cpu_kernel(op.spec)->forward(args);
  args.output = {there.data(), 3, 8, 5, 3, 8};
  prepare_kernel(op.spec)->forward(args);
  CHECK(here == there);
}

TEST(images_come_and_go_as_nchw) {
  if (!on_gpu()) return;
  const cuda::Copies copies({Gpu::get().stream});
  const std::vector<float> images = numbers<float>(2 * 5 * 6);
  GpuBytes plain = on_device(images), stored(2 * 3 * 6 * sizeof(float)), back(plain.bytes());
  Gpu::get().stream.fill(back.data(), 0, back.bytes());
  const TensorRef t = nhwc(stored, 2, 3, 2, 3);
  copies.from_plain(t, 0, plain.data(), 5, 4, 1);
  copies.from_plain(t, 1, plain.data(), 5, 0, 2);
  copies.to_plain(back.data(), 5, 1, t, 0, 3);
  const std::vector<float> got = floats(back);
  for (std::size_t k = 0; k < got.size(); ++k) {
    const std::size_t c = k / 6 % 5;
    const float want = c == 1 ? images[k + 3 * 6] : c == 2 || c == 3 ? images[k - 2 * 6] : 0;
    CHECK_EQ(got[k], want);
  }
}

TEST(a_rehearsal_has_zeros_for_all_that_a_plan_touches) {
  if (!on_gpu()) return;
  cuda::ConvPlanSpec spec;
  const cuda::PoolAxis axis{6, 4, 3, 1, 0, 0, 1};
  spec.shape = {2, 5, 7, 1, axis, axis};
  spec.biased = spec.adds = true;
  cuda::ConvRehearsal rehearsal(Gpu::get().stream, spec);
  int runs = 0;
  const double us = rehearsal.time(100, [&](const cuda::ConvOperands& o, std::byte* workspace) {
    ++runs;
    cuda::Stream& stream = Gpu::get().stream;
    stream.fill(workspace, 1, 100);
    for (auto [data, elems] : {std::pair{o.x, 2 * 5 * 36},
                               {o.filter, 7 * 5 * 9},
                               {o.y, 2 * 7 * 16},
                               {o.addend, 2 * 7 * 16},
                               {o.bias, 7}}) {
      std::vector<float> values(static_cast<std::size_t>(elems), 1);
      stream.to_host(values.data(), data, values.size() * sizeof(float));
      stream.synchronize();
      CHECK(values == std::vector<float>(values.size()));
    }
  });
  CHECK(us >= 0 && runs > 1);
}
