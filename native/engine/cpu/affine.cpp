// affine: y = x * scale + shift per channel, either of which may be missing.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/sums.h"

namespace hpmp::cpu {

namespace {

constexpr float kZeros[kLanes] = {};
constexpr float kOnes[kLanes] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

template <class T>
class Affine : public Kernel {
 public:
  explicit Affine(const KernelSpec& spec)
      : has_scale_(node_of(spec).attrs.has_scale),
        has_shift_(node_of(spec).attrs.has_shift),
        scratch_bytes_(static_cast<std::size_t>(spec.samples * spec.output_shape.c) * 2 *
                       sizeof(double)) {}

  std::size_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    ensure_same_layout(x, y);
    for_chunks(x, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = x.at(i, chunk.channel, 0);
      scale_channels({x.pixels(), x.block, chunk.width}, x.data + at, kZeros,
                     scale(args.params, chunk), shift(args.params, chunk), y.data + at, false);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> dy(args.grad_output), dx(args.grad_inputs[0]);
    add_param_grads(args);
    if (!dx.data) return;
    ensure_same_layout(dx, dy);
    for_chunks(dy, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = dy.at(i, chunk.channel, 0);
      scale_channels({dy.pixels(), dy.block, chunk.width}, dy.data + at, kZeros,
                     scale(args.params, chunk), kZeros, dx.data + at, args.accumulate[0]);
    });
  }

 private:
  /// Sums per sample and channel first, then over the samples in order: the same for any threads.
  void add_param_grads(const BackwardArgs& args) const {
    const TensorOf<T> dy(args.grad_output);
    float* scale_grad = has_scale_ ? args.param_grads[0] : nullptr;
    float* shift_grad = has_shift_ ? args.param_grads[shift_index()] : nullptr;
    if (!scale_grad && !shift_grad) return;
    const T* x = scale_grad ? TensorOf<T>(args.inputs[0]).data : dy.data;
    double* sums = reinterpret_cast<double*>(args.scratch);
    double* products = sums + dy.n * dy.c;
    for_chunks(dy, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = dy.at(i, chunk.channel, 0), k = i * dy.c + chunk.channel;
      channel_sums({dy.pixels(), dy.block, chunk.width}, dy.data + at, x + at, kZeros, sums + k,
                   products + k);
    });
    if (scale_grad) add_over_samples(products, dy, scale_grad);
    if (shift_grad) add_over_samples(sums, dy, shift_grad);
  }

  static void add_over_samples(const double* parts, const TensorRef& t, float* grad) {
    for (std::int64_t c = 0; c < t.c; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < t.n; ++i) sum += parts[i * t.c + c];
      grad[c] += static_cast<float>(sum);
    }
  }

  std::size_t shift_index() const { return has_scale_ ? 1 : 0; }
  const float* scale(const std::vector<float*>& params, Chunk chunk) const {
    return has_scale_ ? params[0] + chunk.channel : kOnes;
  }
  const float* shift(const std::vector<float*>& params, Chunk chunk) const {
    return has_shift_ ? params[shift_index()] + chunk.channel : kZeros;
  }

  bool has_scale_, has_shift_;
  std::size_t scratch_bytes_;
};

}  // namespace

KernelPtr make_affine(const KernelSpec& spec) { return make_stored<Affine>(spec, spec); }

}  // namespace hpmp::cpu
