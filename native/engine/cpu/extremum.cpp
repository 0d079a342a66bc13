// max and min of any number of equal shapes; operands that are equal share the gradient.
#include <vector>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

class Extremum : public Kernel {
 public:
  /// The least is found as the greatest of the negated.
  explicit Extremum(bool least) : sign_(least ? -1.F : 1.F) {}

  void forward(const ForwardArgs& args) override {
    for (const TensorRef& input : args.inputs) ensure_same_layout(input, args.output);
    float* y = args.output.data;
    for_elems(args.output.elems(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) y[k] = best(args.inputs, k);
    });
  }

  void backward(const BackwardArgs& args) override {
    for (std::size_t own = 0; own < args.inputs.size(); ++own) {
      const TensorRef& grad = args.grad_inputs[own];
      if (!grad.data) continue;
      with_flag(args.accumulate[own], [&](auto add) {
        for_elems(grad.elems(), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t k = begin; k < end; ++k)
            put(grad.data[k], share(args, own, k) * args.grad_output.data[k], add);
        });
      });
    }
  }

 private:
  /// A NaN among the operands is the result.
  float best(const std::vector<TensorRef>& inputs, std::int64_t k) const {
    float best = inputs[0].data[k];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const float x = inputs[i].data[k];
      if (sign_ * x > sign_ * best || x != x) best = x;
    }
    return best;
  }

  float share(const BackwardArgs& args, std::size_t own, std::int64_t k) const {
    const float top = best(args.inputs, k);
    if (args.inputs[own].data[k] != top) return 0;
    float ties = 0;
    for (const TensorRef& x : args.inputs) ties += x.data[k] == top ? 1.F : 0.F;
    return 1 / ties;
  }

  float sign_;
};

}  // namespace

KernelPtr make_extremum(const KernelSpec& spec) {
  return std::make_unique<Extremum>(node_of(spec).op == OpKind::min);
}

}  // namespace hpmp::cpu
