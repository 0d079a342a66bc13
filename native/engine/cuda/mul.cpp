// mul: the product of two; an operand of one pixel scales the channels of the other.
#include <algorithm>

#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/kernels/channels.h"
#include "engine/cuda/kernels/elementwise.h"

namespace hpmp::cuda {
namespace {

class Mul : public Kernel {
 public:
  Mul(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        sums_(target, spec.samples, spec.output_shape.h * spec.output_shape.w, spec.output_shape.c),
        multiply_(*stream_.device(), "multiply", target.storage),
        gate_(*stream_.device(), "gate_channels", target.storage),
        store_sums_(*stream_.device(), "store_sums", target.storage) {}

  std::size_t scratch_bytes() const override { return sums_.scratch_bytes(); }

  void forward(const ForwardArgs& args) override {
    const TensorRef &a = args.inputs[0], &b = args.inputs[1];
    if (a.pixels() == b.pixels()) return multiply(a, b, args.output, false);
    const bool gated = b.pixels() == 1;
    scale(gated ? a : b, gated ? b : a, args.output, false);
  }

  void backward(const BackwardArgs& args) override {
    for (std::size_t k = 0; k < 2; ++k) {
      const TensorRef &own = args.inputs[k], &other = args.inputs[1 - k];
      const TensorRef &grad = args.grad_inputs[k], &dy = args.grad_output;
      if (!grad.data) continue;
      if (own.pixels() == other.pixels()) {
        multiply(dy, other, grad, args.accumulate[k]);
      } else if (other.pixels() == 1) {
        scale(dy, other, grad, args.accumulate[k]);
      } else {
        const SumPair* sums = sums_.run(kProducts, other.data, dy.data, args.scratch);
        store_sums_.run(stream_, grad.elems(), {0, 1, sums, 1, grad.data, args.accumulate[k]});
      }
    }
  }

 private:
  void multiply(const TensorRef& a, const TensorRef& b, const TensorRef& to,
                bool accumulate) const {
    multiply_.run(stream_, to.elems(), to.elems(), {a.data, b.data, to.data},
                  {0, a.data, b.data, to.data, accumulate});
  }

  void scale(const TensorRef& from, const TensorRef& gate, const TensorRef& to,
             bool accumulate) const {
    ensure_nhwc(from);
    gate_.run(stream_, to.elems(), to.c, {from.data, gate.data, to.data},
              {0, static_cast<int>(to.c), static_cast<int>(to.pixels()), from.data, gate.data,
               to.data, accumulate});
  }

  Stream& stream_;
  ColumnSums sums_;
  WideEntry<ProductArgs> multiply_;
  WideEntry<GateArgs> gate_;
  NarrowEntry<StoreSumsArgs> store_sums_;
};

}  // namespace

KernelPtr make_mul(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Mul>(spec, target);
}

}  // namespace hpmp::cuda
