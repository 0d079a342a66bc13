// loss: softmax cross-entropy of one sample's logits and label, and whether the top class is right.
#include <cmath>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

constexpr std::int64_t kIgnored = -1;

struct Summary {
  std::int64_t top = 0;
  float highest = 0;
  double exp_sum = 0;  // of exp(logit - highest)
};

template <class T>
Summary summarise(const TensorOf<T>& x, std::int64_t i) {
  Summary s;
  s.highest = x.data[x.at(i, 0, 0)];
  for (std::int64_t c = 1; c < x.c; ++c) {
    const float logit = x.data[x.at(i, c, 0)];
    if (!(logit > s.highest)) continue;
    s.highest = logit;
    s.top = c;
  }
  for (std::int64_t c = 0; c < x.c; ++c) {
    s.exp_sum += std::exp(x.data[x.at(i, c, 0)] - s.highest);
  }
  return s;
}

void check_labels(const std::int64_t* labels, const TensorRef& logits) {
  ensure(labels, "the loss has labels");
  for (std::int64_t i = 0; i < logits.n; ++i) {
    ensure(labels[i] >= kIgnored && labels[i] < logits.c, "labels are checked before a step");
  }
}

template <class T>
class Loss : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]);
    const TensorOf<float> y(args.output);
    check_labels(args.labels, x);
    parallel_for(x.n, x.elems() >= kMinParallelElems, [&](std::int64_t i) {
      float loss = 0, correct = 0;
      if (const std::int64_t label = args.labels[i]; label != kIgnored) {
        const Summary s = summarise(x, i);
        loss = static_cast<float>(std::log(s.exp_sum) + s.highest - x.data[x.at(i, label, 0)]);
        correct = s.top == label ? 1 : 0;
      }
      y.data[y.at(i, 0, 0)] = loss;
      y.data[y.at(i, 1, 0)] = correct;
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    check_labels(args.labels, x);
    const double share = 1.0 / static_cast<double>(args.step.global_batch);
    with_flag(args.accumulate[0], [&](auto add) {
      parallel_for(x.n, x.elems() >= kMinParallelElems, [&](std::int64_t i) {
        const std::int64_t label = args.labels[i];
        const Summary s = label == kIgnored ? Summary{} : summarise(x, i);
        for (std::int64_t c = 0; c < x.c; ++c) {
          put(dx.data[dx.at(i, c, 0)],
              label == kIgnored ? 0 : gradient(x.data[x.at(i, c, 0)], s, c == label, share), add);
        }
      });
    });
  }

 private:
  static float gradient(float logit, const Summary& s, bool is_label, double share) {
    const double probability = std::exp(logit - s.highest) / s.exp_sum;
    return static_cast<float>((probability - (is_label ? 1 : 0)) * share);
  }
};

}  // namespace

KernelPtr make_loss(const KernelSpec& spec) { return make_stored<Loss>(spec); }

}  // namespace hpmp::cpu
