// softmax and its logarithm, over the channels of each pixel.
#include <cmath>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

/// Over the channels of a pixel.
template <class T>
float highest(const TensorOf<T>& x, std::int64_t i, std::int64_t p) {
  float top = x.data[x.at(i, 0, p)];
  for (std::int64_t c = 1; c < x.c; ++c) top = std::max<float>(top, x.data[x.at(i, c, p)]);
  return top;
}

template <class T>
class Softmax : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    for_pixels(y, [&](std::int64_t i, std::int64_t p) {
      const float top = highest(x, i, p);
      double sum = 0;
      for (std::int64_t c = 0; c < x.c; ++c) {
        const float e = std::exp(x.data[x.at(i, c, p)] - top);
        y.data[y.at(i, c, p)] = T(e);
        sum += e;
      }
      const float factor = static_cast<float>(1 / sum);
      for (std::int64_t c = 0; c < x.c; ++c) {
        T& share = y.data[y.at(i, c, p)];
        share = T(share * factor);
      }
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> y(args.output), dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    with_flag(args.accumulate[0], [&](auto add) {
      for_pixels(y, [&](std::int64_t i, std::int64_t p) {
        double dot = 0;
        for (std::int64_t c = 0; c < y.c; ++c) {
          dot += static_cast<double>(y.data[y.at(i, c, p)]) * dy.data[dy.at(i, c, p)];
        }
        const float mean = static_cast<float>(dot);
        for (std::int64_t c = 0; c < y.c; ++c) {
          put(dx.data[dx.at(i, c, p)], y.data[y.at(i, c, p)] * (dy.data[dy.at(i, c, p)] - mean),
              add);
        }
      });
    });
  }
};

template <class T>
class LogSoftmax : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    for_pixels(y, [&](std::int64_t i, std::int64_t p) {
      const float top = highest(x, i, p);
      double sum = 0;
      for (std::int64_t c = 0; c < x.c; ++c) sum += std::exp(x.data[x.at(i, c, p)] - top);
      const float log_sum = static_cast<float>(std::log(sum));
      for (std::int64_t c = 0; c < x.c; ++c)
        y.data[y.at(i, c, p)] = T(x.data[x.at(i, c, p)] - top - log_sum);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> y(args.output), dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    with_flag(args.accumulate[0], [&](auto add) {
      for_pixels(y, [&](std::int64_t i, std::int64_t p) {
        double sum = 0;
        for (std::int64_t c = 0; c < y.c; ++c) sum += dy.data[dy.at(i, c, p)];
        const float total = static_cast<float>(sum);
        for (std::int64_t c = 0; c < y.c; ++c) {
          put(dx.data[dx.at(i, c, p)],
              dy.data[dy.at(i, c, p)] - std::exp(y.data[y.at(i, c, p)]) * total, add);
        }
      });
    });
  }
};

}  // namespace

KernelPtr make_softmax(const KernelSpec& spec) {
  if (node_of(spec).op == OpKind::log_softmax) return make_stored<LogSoftmax>(spec);
  return make_stored<Softmax>(spec);
}

}  // namespace hpmp::cpu
