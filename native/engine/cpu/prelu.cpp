// prelu: x, and below zero slope * x; the slope is one per channel or one for all.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

template <class T>
class PRelu : public Kernel {
 public:
  explicit PRelu(const KernelSpec& spec)
      : shared_(spec.graph->param(node_of(spec).params[0]).rows() == 1),
        scratch_bytes_(static_cast<std::size_t>(spec.samples * spec.output_shape.c) *
                       sizeof(double)) {}

  std::size_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    ensure_same_layout(x, y);
    each_chunk(x, args.params[0], [&](std::int64_t, std::int64_t at, Chunk chunk, const float* a) {
      walk(x, at, chunk, [&](auto k, int j) {
        const float v = x.data[k];
        put(y.data[k], v < 0 ? a[j] * v : v);
      });
    });
  }

  void backward(const BackwardArgs& args) override {
    add_slope_grad(args);
    const TensorOf<T> x(args.inputs[0]), dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    ensure_same_layout(dx, dy);
    each_chunk(x, args.params[0], [&](std::int64_t, std::int64_t at, Chunk chunk, const float* a) {
      with_flag(args.accumulate[0], [&](auto add) {
        walk(x, at, chunk, [&](auto k, int j) {
          const float passed = dy.data[k], held = a[j] * passed;
          put(dx.data[k], x.data[k] < 0 ? held : passed, add);
        });
      });
    });
  }

 private:
  /// f(sample, offset, chunk, the chunk's slopes), in parallel.
  template <class F>
  void each_chunk(const TensorRef& x, const float* slope, const F& f) const {
    for_chunks(x, [&](std::int64_t i, Chunk chunk) {
      float a[kLanes];
      for (int j = 0; j < chunk.width; ++j) a[j] = slope[shared_ ? 0 : chunk.channel + j];
      f(i, x.at(i, chunk.channel, 0), chunk, a);
    });
  }

  /// f(offset, lane) over the pixels of a chunk.
  template <class F>
  static void walk(const TensorRef& x, std::int64_t at, Chunk chunk, const F& f) {
    with_width(chunk.width, [&](auto width) {
      for (std::int64_t p = 0; p < x.pixels(); ++p, at += x.block) {
#pragma omp simd
        for (int j = 0; j < width; ++j) f(at + j, j);
      }
    });
  }

  /// Sums per sample and channel first, then over them in order: the same for any threads.
  void add_slope_grad(const BackwardArgs& args) const {
    float* grad = args.param_grads[0];
    if (!grad) return;
    const TensorOf<T> x(args.inputs[0]), dy(args.grad_output);
    double* sums = reinterpret_cast<double*>(args.scratch);
    for_chunks(x, [&](std::int64_t i, Chunk chunk) {
      double sum[kLanes] = {};
      walk(x, x.at(i, chunk.channel, 0), chunk, [&](auto k, int j) {
        sum[j] +=
            x.data[k] < 0 ? static_cast<double>(x.data[k]) * static_cast<double>(dy.data[k]) : 0.0;
      });
      std::copy_n(sum, chunk.width, sums + i * x.c + chunk.channel);
    });
    for (std::int64_t c = 0; c < x.c; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < x.n; ++i) sum += sums[i * x.c + c];
      grad[shared_ ? 0 : c] += static_cast<float>(sum);
    }
  }

  bool shared_;
  std::size_t scratch_bytes_;
};

}  // namespace

KernelPtr make_prelu(const KernelSpec& spec) { return make_stored<PRelu>(spec, spec); }

}  // namespace hpmp::cpu
