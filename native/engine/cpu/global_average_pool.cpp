// global_average_pool: the mean of each channel's pixels, summed in double.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/sums.h"

namespace hpmp::cpu {

namespace {

constexpr float kZeros[kLanes] = {};

template <class T>
class GlobalAveragePool : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    const double factor = 1.0 / static_cast<double>(x.pixels());
    for_chunks(x, [&](std::int64_t i, Chunk chunk) {
      const T* from = x.data + x.at(i, chunk.channel, 0);
      double sum[kLanes], unused[kLanes];
      channel_sums({x.pixels(), x.block, chunk.width}, from, from, kZeros, sum, unused);
      for (int j = 0; j < chunk.width; ++j) {
        y.data[y.at(i, chunk.channel + j, 0)] = T(static_cast<float>(sum[j] * factor));
      }
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    const float factor = 1 / static_cast<float>(dx.pixels());
    for_chunks(dx, [&](std::int64_t i, Chunk chunk) {
      float part[kLanes];
      for (int j = 0; j < chunk.width; ++j) {
        part[j] = dy.data[dy.at(i, chunk.channel + j, 0)] * factor;
      }
      T* to = dx.data + dx.at(i, chunk.channel, 0);
      with_width(chunk.width, [&](auto width) {
        with_flag(args.accumulate[0], [&](auto add) {
          for (std::int64_t p = 0; p < dx.pixels(); ++p, to += dx.block) {
#pragma omp simd
            for (int j = 0; j < width; ++j) put(to[j], part[j], add);
          }
        });
      });
    });
  }
};

}  // namespace

KernelPtr make_global_average_pool(const KernelSpec& spec) {
  return make_stored<GlobalAveragePool>(spec);
}

}  // namespace hpmp::cpu
