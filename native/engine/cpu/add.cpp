// add: the sum of any number of equal shapes; its gradient goes to each unchanged.
#include <algorithm>
#include <vector>

#include "engine/cpu/elementwise.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

/// Sums in a buffer of its own, so that the output may be any of the inputs.
template <class T>
void sum_piece(const std::vector<TensorRef>& inputs, std::int64_t begin, std::int64_t count, T* y) {
  constexpr std::int64_t kBuffer = 512;
  float sum[kBuffer];
  for (std::int64_t done = 0; done < count; done += kBuffer) {
    const std::int64_t at = begin + done, size = std::min(kBuffer, count - done);
    std::copy_n(TensorOf<T>(inputs[0]).data + at, size, sum);
    for (std::size_t k = 1; k < inputs.size(); ++k) {
      const T* x = TensorOf<T>(inputs[k]).data + at;
#pragma omp simd
      for (std::int64_t j = 0; j < size; ++j) sum[j] += x[j];
    }
    for (std::int64_t j = 0; j < size; ++j) put(y[at + j], sum[j]);
  }
}

/// The usual case, without the buffer.
template <class T>
void sum_two(const T* a, const T* b, std::int64_t begin, std::int64_t end, T* y) {
#pragma omp simd
  for (std::int64_t k = begin; k < end; ++k) put(y[k], a[k] + b[k]);
}

template <class T>
class Add : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    for (const TensorRef& input : args.inputs) ensure_same_layout(input, args.output);
    T* y = TensorOf<T>(args.output).data;
    for_elems(args.output.elems(), [&](std::int64_t begin, std::int64_t end) {
      if (args.inputs.size() == 2) {
        sum_two(TensorOf<T>(args.inputs[0]).data, TensorOf<T>(args.inputs[1]).data, begin, end, y);
      } else {
        sum_piece(args.inputs, begin, end - begin, y);
      }
    });
  }

  void backward(const BackwardArgs& args) override {
    for (std::size_t k = 0; k < args.grad_inputs.size(); ++k) {
      copy_elems(args.grad_inputs[k], args.grad_output, args.accumulate[k]);
    }
  }
};

}  // namespace

KernelPtr make_add(const KernelSpec& spec) { return make_stored<Add>(spec); }

}  // namespace hpmp::cpu
