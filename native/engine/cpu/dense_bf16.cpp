#include "engine/cpu/dense_bf16.h"

#include <algorithm>
#include <utility>

#include "engine/cpu/dense/bf16_code.h"
#include "engine/cpu/isa.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {
namespace {

using dense::kBf16Columns;

/// Where the operands of an update stand in the scratch of one call.
struct Packed {
  Bf16 *x, *dy_pairs;
  float* dx;
};

class DenseBf16 : public Kernel {
 public:
  DenseBf16(const KernelSpec& spec, KernelPtr inner)
      : inner_(std::move(inner)),
        samples_(spec.samples),
        pairs_((spec.samples + 1) / 2),
        columns_(spec.input_shapes[0].elems()),
        rows_(spec.output_shape.c) {}

  std::size_t scratch_bytes() const override {
    return std::max(inner_->scratch_bytes(), x_bytes() + dy_bytes() + dx_bytes());
  }
  std::size_t resident_bytes() const override { return inner_->resident_bytes(); }
  void load_params(const std::vector<float*>& params) override { inner_->load_params(params); }

  void forward(const ForwardArgs& args) override {
    const TensorOf<Bf16> x(args.inputs[0]), y(args.output);
    const float* bias = args.params.size() > 1 ? args.params[1] : nullptr;
    constexpr std::int64_t kRows = 32;
    parallel_for(
        (rows_ + kRows - 1) / kRows, columns_ * rows_ >= kMinParallelElems, [&](std::int64_t k) {
          code_.forward({samples_, rows_, columns_, k * kRows, std::min((k + 1) * kRows, rows_),
                         x.data, args.params[0], bias, y.data});
        });
  }

  void backward(const BackwardArgs& args) override {
    if (!args.update) return inner_->backward(args);
    const TensorOf<Bf16> x(args.inputs[0]), dy(args.grad_output), dx(args.grad_inputs[0]);
    if (args.params.size() > 1 && args.param_grads[1]) add_bias_grad(dy.data, args.param_grads[1]);
    const Packed packed = pack(x.data, dy.data, args.scratch);
    if (dx.data) std::fill_n(packed.dx, samples_ * columns_, 0.F);
    update(args, dy.data, dx.data != nullptr, packed);
    if (dx.data) unpack(packed.dx, dx.data, args.accumulate[0]);
  }

 private:
  static std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  std::size_t x_bytes() const {
    return lines(static_cast<std::size_t>(2 * pairs_ * columns_) * sizeof(Bf16));
  }
  std::size_t dy_bytes() const {
    return lines(static_cast<std::size_t>(2 * pairs_ * rows_) * sizeof(Bf16));
  }
  std::size_t dx_bytes() const {
    return static_cast<std::size_t>(samples_ * columns_) * sizeof(float);
  }
  std::int64_t panels() const { return columns_ / kBf16Columns; }

  void add_bias_grad(const Bf16* dy, float* grad) const {
    for (std::int64_t c = 0; c < rows_; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < samples_; ++i) sum += static_cast<double>(dy[i * rows_ + c]);
      grad[c] += static_cast<float>(sum);
    }
  }

  Packed pack(const Bf16* x, const Bf16* dy, std::byte* scratch) const {
    const Packed packed{reinterpret_cast<Bf16*>(scratch),
                        reinterpret_cast<Bf16*>(scratch + x_bytes()),
                        reinterpret_cast<float*>(scratch + x_bytes() + dy_bytes())};
    parallel_for(panels(), true, [&](std::int64_t p) {
      for (std::int64_t i = 0; i < pairs_; ++i) {
        const Bf16* first = x + 2 * i * columns_ + p * kBf16Columns;
        code_.pair(first, 2 * i + 1 < samples_ ? first + columns_ : nullptr,
                   packed.x + (p * pairs_ + i) * 2 * kBf16Columns, kBf16Columns);
      }
    });
    parallel_for(rows_, true, [&](std::int64_t r) {
      for (std::int64_t i = 0; i < 2 * pairs_; ++i)
        packed.dy_pairs[r * 2 * pairs_ + i] = i < samples_ ? dy[i * rows_ + r] : Bf16(0.F);
    });
    return packed;
  }

  void update(const BackwardArgs& args, const Bf16* dy, bool input_gradient,
              const Packed& packed) const {
    // Few enough panels for a part of all samples to stay in a core's cache.
    const std::int64_t share = (panels() + thread_count() - 1) / thread_count();
    const std::int64_t part = std::min<std::int64_t>(64, share);
    parallel_for((panels() + part - 1) / part, true, [&](std::int64_t k) {
      code_.update({samples_,
                    rows_,
                    columns_,
                    k * part,
                    std::min((k + 1) * part, panels()),
                    packed.x,
                    dy,
                    packed.dy_pairs,
                    input_gradient ? packed.dx : nullptr,
                    args.params[0],
                    {args.state[0], args.state[1]},
                    args.param_grads[0],
                    *args.update});
    });
  }

  void unpack(const float* panels_of, Bf16* dx, bool accumulate) const {
    with_flag(accumulate, [&](auto add) {
      parallel_for(panels(), true, [&](std::int64_t p) {
        for (std::int64_t i = 0; i < samples_; ++i) {
          const float* from = panels_of + (p * samples_ + i) * kBf16Columns;
          Bf16* to = dx + i * columns_ + p * kBf16Columns;
          for (std::int64_t c = 0; c < kBf16Columns; ++c) put(to[c], from[c], add);
        }
      });
    });
  }

  const dense::Bf16Code& code_ = dense::avx512_bf16_code();
  KernelPtr inner_;
  std::int64_t samples_, pairs_, columns_, rows_;
};

}  // namespace

KernelPtr with_bf16_products(const KernelSpec& spec, KernelPtr inner) {
  if (!has_avx512_bf16() || spec.input_shapes[0].elems() % kBf16Columns != 0) return inner;
  return std::make_unique<DenseBf16>(spec, std::move(inner));
}

}  // namespace hpmp::cpu
