// layer_norm: every pixel normalised over its channels, then scaled and shifted per channel.
#include <cmath>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

/// Mean and 1 / standard deviation of a pixel's channels.
struct Moments {
  float mean, invstd;
};

/// f(offset of a chunk's first channel at the pixel, chunk) for all channels of (i, p).
template <class F>
void each_chunk(const TensorRef& t, std::int64_t i, std::int64_t p, const F& f) {
  const Chunks chunks(t);
  for (std::int64_t k = 0; k < chunks.count(); ++k) {
    const Chunk chunk = chunks[k];
    f(t.at(i, chunk.channel, p), chunk);
  }
}

/// Sum over all channels of (i, p) of f(offset, channel), 16 sums side by side.
template <class F>
double channel_sum(const TensorRef& t, std::int64_t i, std::int64_t p, const F& f) {
  float sums[kLanes] = {};
  each_chunk(t, i, p, [&](std::int64_t at, Chunk chunk) {
    with_width(chunk.width, [&](auto width) {
#pragma omp simd
      for (int j = 0; j < width; ++j) sums[j] += f(at + j, chunk.channel + j);
    });
  });
  double total = 0;
  for (float s : sums) total += s;
  return total;
}

/// f(offset, channel) for all channels of (i, p).
template <class F>
void for_channels(const TensorRef& t, std::int64_t i, std::int64_t p, const F& f) {
  each_chunk(t, i, p, [&](std::int64_t at, Chunk chunk) {
    with_width(chunk.width, [&](auto width) {
#pragma omp simd
      for (int j = 0; j < width; ++j) f(at + j, chunk.channel + j);
    });
  });
}

template <class T>
class LayerNorm : public Kernel {
 public:
  explicit LayerNorm(const KernelSpec& spec)
      : attrs_(node_of(spec).attrs),
        ones_(static_cast<std::size_t>(spec.output_shape.c), 1.F),
        zeros_(static_cast<std::size_t>(spec.output_shape.c), 0.F),
        sums_bytes_(static_cast<std::size_t>(spec.samples * spec.output_shape.c) * 2 *
                    sizeof(double)) {}

  std::size_t scratch_bytes() const override { return sums_bytes_; }

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    ensure_same_layout(x, y);
    const float *scale = scale_of(args.params), *shift = shift_of(args.params);
    auto* saved = reinterpret_cast<Moments*>(args.saved);
    for_pixels(x, [&](std::int64_t i, std::int64_t p) {
      const Moments m = moments(x, i, p);
      if (saved) saved[i * x.pixels() + p] = m;
      for_channels(x, i, p, [&](std::int64_t at, std::int64_t c) {
        y.data[at] = T((x.data[at] - m.mean) * m.invstd * scale[c] + shift[c]);
      });
    });
  }

  void backward(const BackwardArgs& args) override {
    add_param_grads(args);
    if (!args.grad_inputs[0].data) return;
    ensure_same_layout(args.grad_inputs[0], args.grad_output);
    with_flag(args.accumulate[0], [&](auto add) { input_gradient(args, add); });
  }

 private:
  Moments moments(const TensorOf<T>& x, std::int64_t i, std::int64_t p) const {
    const auto count = static_cast<double>(x.c);
    const double mean =
        channel_sum(x, i, p, [&](std::int64_t at, std::int64_t) { return float(x.data[at]); }) /
        count;
    const auto center = static_cast<float>(mean);
    const double variance = channel_sum(x, i, p,
                                        [&](std::int64_t at, std::int64_t) {
                                          const float d = x.data[at] - center;
                                          return d * d;
                                        }) /
                            count;
    return {center, static_cast<float>(1 / std::sqrt(variance + attrs_.epsilon))};
  }

  /// With g = dy * scale and x' the normalised input: (g - mean(g) - x' * mean(g * x')) / std.
  template <class Accumulate>
  void input_gradient(const BackwardArgs& args, Accumulate add) const {
    const TensorOf<T> x(args.inputs[0]), dy(args.grad_output), dx(args.grad_inputs[0]);
    const float* scale = scale_of(args.params);
    const auto* saved = reinterpret_cast<const Moments*>(args.saved);
    for_pixels(x, [&](std::int64_t i, std::int64_t p) {
      const Moments m = saved[i * x.pixels() + p];
      const auto g = [&](std::int64_t at, std::int64_t c) { return dy.data[at] * scale[c]; };
      const auto normal = [&](std::int64_t at) { return (x.data[at] - m.mean) * m.invstd; };
      const auto count = static_cast<double>(x.c);
      const auto mean = static_cast<float>(channel_sum(x, i, p, g) / count);
      const auto slope = static_cast<float>(
          channel_sum(x, i, p, [&](auto at, auto c) { return g(at, c) * normal(at); }) / count);
      for_channels(x, i, p, [&](std::int64_t at, std::int64_t c) {
        put(dx.data[at], (g(at, c) - mean - normal(at) * slope) * m.invstd, add);
      });
    });
  }

  /// Sums per sample and channel first, then over the samples in order: the same for any threads.
  void add_param_grads(const BackwardArgs& args) const {
    float* scale_grad = attrs_.has_scale ? args.param_grads[0] : nullptr;
    float* shift_grad = attrs_.has_shift ? args.param_grads[shift_index()] : nullptr;
    if (!scale_grad && !shift_grad) return;
    const TensorRef& dy = args.grad_output;
    double* sums = reinterpret_cast<double*>(args.scratch);
    double* products = sums + dy.n * dy.c;
    for_chunks(dy, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t k = i * dy.c + chunk.channel;
      chunk_sums(args, i, chunk, sums + k, products + k);
    });
    for (std::int64_t k = 0; k < dy.n * dy.c; ++k) {
      if (scale_grad) scale_grad[k % dy.c] += static_cast<float>(products[k]);
      if (shift_grad) shift_grad[k % dy.c] += static_cast<float>(sums[k]);
    }
  }

  /// Over the pixels of a sample: sum[j] of dy, product[j] of dy times the normalised input.
  static void chunk_sums(const BackwardArgs& args, std::int64_t i, Chunk chunk, double* sum,
                         double* product) {
    const TensorOf<T> x(args.inputs[0]), dy(args.grad_output);
    const auto* saved = reinterpret_cast<const Moments*>(args.saved) + i * x.pixels();
    double first[kLanes] = {}, second[kLanes] = {};
    std::int64_t at = x.at(i, chunk.channel, 0);
    with_width(chunk.width, [&](auto width) {
      for (std::int64_t p = 0; p < x.pixels(); ++p, at += x.block) {
        const Moments m = saved[p];
#pragma omp simd
        for (int j = 0; j < width; ++j) {
          first[j] += dy.data[at + j];
          second[j] += dy.data[at + j] * ((x.data[at + j] - m.mean) * m.invstd);
        }
      }
    });
    std::copy_n(first, chunk.width, sum);
    std::copy_n(second, chunk.width, product);
  }

  std::size_t shift_index() const { return attrs_.has_scale ? 1 : 0; }
  const float* scale_of(const std::vector<float*>& params) const {
    return attrs_.has_scale ? params[0] : ones_.data();
  }
  const float* shift_of(const std::vector<float*>& params) const {
    return attrs_.has_shift ? params[shift_index()] : zeros_.data();
  }

  Attrs attrs_;
  std::vector<float> ones_, zeros_;
  std::size_t sums_bytes_;
};

}  // namespace

KernelPtr make_layer_norm(const KernelSpec& spec) { return make_stored<LayerNorm>(spec, spec); }

}  // namespace hpmp::cpu
