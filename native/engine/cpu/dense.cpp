// dense: matrix products on the plain weights [out][in], which are never copied nor reordered.
#include "engine/cpu/dense.h"

#include <dnnl.h>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp {

std::vector<std::int64_t> dense_column_order(const Shape& input, std::int64_t block) {
  const TensorRef t{nullptr, 1, input.c, input.h, input.w, block};
  std::vector<std::int64_t> order(static_cast<std::size_t>(input.elems()));
  for (std::int64_t c = 0; c < t.c; ++c) {
    for (std::int64_t p = 0; p < t.pixels(); ++p) {
      order[static_cast<std::size_t>(t.at(0, c, p))] = c * t.pixels() + p;
    }
  }
  return order;
}

namespace cpu {

namespace {

/// c[m][n] = a[m][k] b[k][n] + beta c, row-major; a or b may be stored transposed.
void multiply(char transpose_a, char transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
              const float* a, const float* b, float beta, float* c) {
  const dnnl_status_t status =
      dnnl_sgemm(transpose_a, transpose_b, m, n, k, 1, a, transpose_a == 'T' ? m : k, b,
                 transpose_b == 'T' ? k : n, beta, c, n);
  ensure(status == dnnl_success, "dnnl_sgemm takes the sizes of a dense layer");
}

class Dense : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    const bool has_bias = args.params.size() > 1;
    for (std::int64_t i = 0; has_bias && i < y.n; ++i) {
      std::copy_n(args.params[1], y.c, y.data + i * y.c);
    }
    multiply('N', 'T', x.n, y.c, features(x), x.data, args.params[0], has_bias ? 1 : 0, y.data);
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (dx.data) {
      multiply('N', 'N', dy.n, features(dx), dy.c, dy.data, args.params[0],
               args.accumulate[0] ? 1 : 0, dx.data);
    }
    if (float* grad = args.param_grads[0]) {
      multiply('T', 'N', dy.c, features(x), dy.n, dy.data, x.data, 1, grad);
    }
    if (args.params.size() > 1 && args.param_grads[1]) add_bias_grad(dy, args.param_grads[1]);
  }

 private:
  static std::int64_t features(const TensorRef& x) { return x.c * x.pixels(); }

  static void add_bias_grad(const TensorRef& dy, float* grad) {
    for (std::int64_t c = 0; c < dy.c; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < dy.n; ++i) sum += dy.data[i * dy.c + c];
      grad[c] += static_cast<float>(sum);
    }
  }
};

}  // namespace

KernelPtr make_dense(const KernelSpec&) { return std::make_unique<Dense>(); }

}  // namespace cpu

}  // namespace hpmp
