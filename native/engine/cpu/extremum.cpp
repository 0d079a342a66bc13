// max and min of any number of equal shapes; operands that are equal share the gradient.
#include <vector>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

template <class T>
class Extremum : public Kernel {
 public:
  /// The least is found as the greatest of the negated.
  explicit Extremum(bool least) : sign_(least ? -1.F : 1.F) {}

  void forward(const ForwardArgs& args) override {
    for (const TensorRef& input : args.inputs) ensure_same_layout(input, args.output);
    const std::vector<const T*> x = data_of(args.inputs);
    T* y = TensorOf<T>(args.output).data;
    for_elems(args.output.elems(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) put(y[k], best(x, k));
    });
  }

  void backward(const BackwardArgs& args) override {
    const std::vector<const T*> x = data_of(args.inputs);
    const T* dy = TensorOf<T>(args.grad_output).data;
    for (std::size_t own = 0; own < x.size(); ++own) {
      const TensorOf<T> grad(args.grad_inputs[own]);
      if (!grad.data) continue;
      with_flag(args.accumulate[own], [&](auto add) {
        for_elems(grad.elems(), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t k = begin; k < end; ++k)
            put(grad.data[k], share(x, own, k) * dy[k], add);
        });
      });
    }
  }

 private:
  static std::vector<const T*> data_of(const std::vector<TensorRef>& tensors) {
    std::vector<const T*> data;
    for (const TensorRef& t : tensors) data.push_back(TensorOf<T>(t).data);
    return data;
  }

  /// A NaN among the operands is the result.
  float best(const std::vector<const T*>& inputs, std::int64_t k) const {
    float best = inputs[0][k];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const float x = inputs[i][k];
      if (sign_ * x > sign_ * best || x != x) best = x;
    }
    return best;
  }

  float share(const std::vector<const T*>& inputs, std::size_t own, std::int64_t k) const {
    const float top = best(inputs, k);
    if (inputs[own][k] != top) return 0;
    float ties = 0;
    for (const T* x : inputs) ties += x[k] == top ? 1.F : 0.F;
    return 1 / ties;
  }

  float sign_;
};

}  // namespace

KernelPtr make_extremum(const KernelSpec& spec) {
  return make_stored<Extremum>(spec, node_of(spec).op == OpKind::min);
}

}  // namespace hpmp::cpu
