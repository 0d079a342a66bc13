// Elementwise ops whose output tells whether the gradient passes: one kernel, a rule per op.
#pragma once

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

/// A Rule has `float forward(float x) const` and `bool stops(float y) const`: whether an output of
/// y has no gradient. What `forward` gives is x or a number that T holds. Both are inlined into
/// loops over whole tensors of T.
template <class Rule, class T>
class Gate : public Kernel {
 public:
  explicit Gate(const Rule& rule) : rule_(rule) {}

  void forward(const ForwardArgs& args) override {
    ensure_same_layout(args.inputs[0], args.output);
    const T* x = TensorOf<T>(args.inputs[0]).data;
    T* y = TensorOf<T>(args.output).data;
    for_elems(args.output.elems(), [&](std::int64_t begin, std::int64_t end) {
      const Rule rule = rule_;
#pragma omp simd
      for (std::int64_t k = begin; k < end; ++k) put_held(y[k], rule.forward(x[k]));
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef& grad = args.grad_inputs[0];
    if (!grad.data) return;
    ensure_same_layout(args.output, args.grad_output);
    ensure_same_layout(grad, args.grad_output);
    const T *y = TensorOf<T>(args.output).data, *dy = TensorOf<T>(args.grad_output).data;
    T* dx = TensorOf<T>(grad).data;
    with_flag(args.accumulate[0], [&](auto add) {
      for_elems(grad.elems(), [&](std::int64_t begin, std::int64_t end) {
        const Rule rule = rule_;
#pragma omp simd
        for (std::int64_t k = begin; k < end; ++k) {
          const float passed = dy[k];
          if constexpr (add.value)
            put(dx[k], rule.stops(y[k]) ? 0 : passed, add);
          else
            put_held(dx[k], rule.stops(y[k]) ? 0 : passed);
        }
      });
    });
  }

 private:
  Rule rule_;
};

}  // namespace hpmp::cpu
