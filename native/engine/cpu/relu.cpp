// relu: max(x, 0), NaN stays NaN; backward reads the output.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

class Relu : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    ensure_same_layout(args.inputs[0], args.output);
    const float* x = args.inputs[0].data;
    float* y = args.output.data;
    for_elems(args.output.elems(), [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t k = begin; k < end; ++k) y[k] = x[k] < 0 ? 0 : x[k];
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef& grad = args.grad_inputs[0];
    if (!grad.data) return;
    ensure_same_layout(args.output, args.grad_output);
    ensure_same_layout(grad, args.grad_output);
    const float *y = args.output.data, *dy = args.grad_output.data;
    float* dx = grad.data;
    with_flag(args.accumulate[0], [&](auto add) {
      for_elems(grad.elems(), [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t k = begin; k < end; ++k) {
          const float passed = dy[k];
          put(dx[k], y[k] <= 0 ? 0 : passed, add);
        }
      });
    });
  }
};

}  // namespace

KernelPtr make_relu(const KernelSpec&) { return std::make_unique<Relu>(); }

}  // namespace hpmp::cpu
