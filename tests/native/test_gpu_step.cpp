// What a GPU does to many pieces at once in a step, and what a captured run of a step reads anew.
#include <cstring>

#include "backend.h"
#include "check.h"
#include "engine/cuda/copy_pieces.h"
#include "engine/cuda/prepare.h"
#include "engine/cuda/reset_ranges.h"
#include "engine/cuda/step_memory.h"
#include "gpu_memory.h"
#include "kernel_tensors.h"
#include "one_op.h"

using namespace hpmp;
using namespace kernel_test;

namespace {

cuda::Stream& stream() { return Gpu::get().stream; }

std::vector<float> drawn(std::size_t count) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(draw());
  return values;
}

std::unique_ptr<GpuBytes> on_device(const std::vector<float>& values) {
  auto bytes = std::make_unique<GpuBytes>(values.size() * sizeof(float));
  bytes->set(values.data());
  return bytes;
}

std::vector<float> floats(const GpuBytes& bytes) {
  std::vector<float> values(bytes.bytes() / sizeof(float));
  bytes.get(values.data());
  bytes.check_guard();
  return values;
}

float* at(const GpuBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); }

}  // namespace

TEST(ranges_become_zero_whatever_they_held_or_are_scaled) {
  if (!on_gpu()) return;
  const std::vector<float> values = drawn(20000);
  const auto zeroed = std::make_unique<GpuBytes>(std::size_t{70001});  // NaN
  const auto scaled = on_device(values);
  const cuda::ResetRanges reset(stream(), {{zeroed->data() + 3, 5},
                                           {zeroed->data() + 16, 69000},
                                           {zeroed->data() + 69100, 901},
                                           {at(*scaled) + 1, 4 * 7, 0.5F},
                                           {at(*scaled) + 8, 4 * 19001, 0.25F}});
  reset.run();
  std::vector<unsigned char> bytes(zeroed->bytes());
  zeroed->get(bytes.data());
  zeroed->check_guard();
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    const bool within = (k >= 3 && k < 8) || (k >= 16 && k < 69016) || k >= 69100;
    CHECK_EQ(int{bytes[k]}, within ? 0 : 0xff);
  }
  const std::vector<float> got = floats(*scaled);
  for (std::size_t k = 0; k < got.size(); ++k)
    CHECK_EQ(got[k], values[k] * (k == 0 || k >= 19009 ? 1 : k < 8 ? 0.5F : 0.25F));
}

TEST(messages_are_packed_and_unpacked_as_on_the_cpu) {
  if (!on_gpu()) return;
  for (DType dtype : {DType::fp32, DType::bf16}) {
    for (std::int64_t block : {16, 48, 24}) {
      const Array like(3, {48, 2, 5}), wire_like(3, {block == 24 ? 24 : 48, 2, 5});
      Tensor image(like, {{0, 48}}, 48, dtype), there(like, {{0, 48}}, 48, dtype);
      Tensor wire(wire_like, {{0, wire_like.shape.c}}, block, dtype);
      for (Tensor* t : {&image, &there, &wire}) {
        for (std::int64_t k = 0; k < t->ref.elems(); ++k) t->put(k, draw());
      }
      const auto bytes = [](const Tensor& t) { return static_cast<std::size_t>(t.ref.bytes()); };
      GpuBytes from(bytes(image)), to(bytes(there)), message(bytes(wire));
      from.set(image.ref.data);
      to.set(there.ref.data);
      message.set(wire.ref.data);
      const auto on_gpu = [](TensorRef t, const GpuBytes& memory) {
        t.data = memory.data();
        return t;
      };
      const TensorRef a = on_gpu(image.ref, from), b = on_gpu(there.ref, to),
                      m = on_gpu(wire.ref, message);
      const cuda::Target target{stream(), dtype};
      // Some by vectors, some not.
      const cuda::CopyPieces pack(target, {{a, 16, m, 0, 16, false}, {a, 3, m, 16, 5, false}});
      const cuda::CopyPieces unpack(target,
                                    {{b, 32, m, 0, 16, true, true}, {b, 1, m, 16, 5, true}});
      pack.run();
      unpack.run();
      copy_channels(wire.ref, 0, image.ref, 16, 16, false);
      copy_channels(wire.ref, 16, image.ref, 3, 5, false);
      copy_channels(there.ref, 32, wire.ref, 0, 16, true);
      copy_channels(there.ref, 1, wire.ref, 16, 5, false);
      std::vector<std::byte> packed(message.bytes()), unpacked(to.bytes());
      message.get(packed.data());
      to.get(unpacked.data());
      CHECK(std::memcmp(packed.data(), wire.ref.data, packed.size()) == 0);
      CHECK(std::memcmp(unpacked.data(), there.ref.data, unpacked.size()) == 0);
      message.check_guard();
      to.check_guard();
    }
  }
}

TEST(rows_of_parameters_are_pieces_too) {
  if (!on_gpu()) return;
  const std::vector<float> values = drawn(5000);
  const auto grad = on_device(values), message = on_device(std::vector<float>(3000));
  const TensorRef rows{at(*grad), 1, 5000, 1, 1, 5000}, wire{at(*message), 1, 3000, 1, 1, 3000};
  const cuda::Target target{stream(), DType::fp32};
  cuda::CopyPieces(target, {{rows, 1000, wire, 0, 2500, false}, {rows, 1, wire, 2500, 500, false}})
      .run();
  cuda::CopyPieces(target, {{rows, 0, wire, 0, 3000, true, true}}).run();
  const std::vector<float> got = floats(*grad);
  for (std::size_t k = 0; k < 3000; ++k) {
    const float other = k < 2500 ? values[1000 + k] : values[1 + k - 2500];
    CHECK_EQ(got[k], values[k] + other);
  }
}

TEST(a_captured_dropout_draws_by_the_seed_and_step_that_it_finds) {
  if (!on_gpu()) return;
  const OneDropout op({{0, 24}});
  std::vector<float> x = drawn(3 * 24 * 15), here(x.size());
  const auto from = on_device(x), to = on_device(x);
  cuda::StepMemory memory(Gpu::get().device);
  ForwardArgs args;
  args.inputs = {{at(*from), 3, 24, 5, 3, 24}};
  args.output = {at(*to), 3, 24, 5, 3, 24};
  args.step.numbers = memory.data();
  const auto kernel = prepare_cuda_kernel(op.spec, stream());
  const cuda::CapturedRun run(stream(), [&] { kernel->forward(args); });
  for (std::uint64_t step : {4, 5}) {
    memory.set(stream(), {11, step, 0, 0, {}});
    run.launch(stream());
    ForwardArgs same = args;
    same.inputs[0].data = x.data();
    same.output.data = here.data();
    same.step.seed = 11;
    same.step.step = step;
    prepare_cpu_kernel(op.spec)->forward(same);
    CHECK(floats(*to) == here);
  }
}

TEST(a_captured_loss_shares_by_the_labels_that_it_finds) {
  if (!on_gpu()) return;
  OneOp op(OpKind::loss, {4, 1, 1}, 1, {{0, 2}});
  op.spec.input_channels = {{{0, 4}}};
  op.spec.input_shapes = {{4, 1, 1}};
  op.spec.output_shape = {2, 1, 1};
  const auto logits = on_device({0, 0, 0, 0}), grad = on_device({1, 1, 1, 1});
  GpuBytes label(8);
  const std::int64_t value = 2;
  label.set(&value);
  cuda::StepMemory memory(Gpu::get().device);
  BackwardArgs args;
  args.inputs = {{at(*logits), 1, 4, 1, 1, 4}};
  args.grad_inputs = {{at(*grad), 1, 4, 1, 1, 4}};
  args.accumulate = {false};
  args.labels = reinterpret_cast<const std::int64_t*>(label.data());
  args.step.numbers = memory.data();
  const auto kernel = prepare_cuda_kernel(op.spec, stream());
  GpuBytes scratch(kernel->scratch_bytes());
  args.scratch = scratch.data();
  const cuda::CapturedRun run(stream(), [&] { kernel->backward(args); });
  for (auto [counted, smoothing] : {std::pair{1, 0.0}, {8, 0.0}, {2, 0.5}}) {
    memory.set(stream(), {0, 0, counted, smoothing, {}});
    run.launch(stream());
    const float share = static_cast<float>(1 - smoothing) / static_cast<float>(counted);
    CHECK(floats(*grad) == std::vector<float>({share / 4, share / 4, -0.75F * share, share / 4}));
  }
}
