// loss: softmax cross-entropy of every pixel's logits and label, which may be smoothed, and how the
// top classes fare.
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

/// The share of the label's class in what the logits should say, and that of every class.
struct Smoothed {
  double label, each;

  Smoothed(double smoothing, std::int64_t classes)
      : label(1 - smoothing), each(smoothing / static_cast<double>(classes)) {}
};

/// Offsets of the channels of a pixel: worked out once, they save a division per element.
std::vector<std::int64_t> channel_offsets(const TensorRef& t) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t c = 0; c < t.c; ++c) offsets.push_back(t.at(0, c, 0));
  return offsets;
}

template <class T>
T* pixel_of(const TensorOf<T>& t, std::int64_t i, std::int64_t p) {
  return t.data + i * t.c * t.pixels() + p * t.block;
}

template <class T>
Summary summarise(const T* x, const std::vector<std::int64_t>& at) {
  Summary s;
  s.highest = x[0];
  for (std::size_t c = 1; c < at.size(); ++c) {
    if (!(x[at[c]] > s.highest)) continue;
    s.highest = x[at[c]];
    s.top = static_cast<std::int64_t>(c);
  }
  for (std::int64_t offset : at) s.exp_sum += std::exp(x[offset] - s.highest);
  return s;
}

/// Of logit - highest.
template <class T>
double sum_below(const T* x, const std::vector<std::int64_t>& at, float highest) {
  double sum = 0;
  for (std::int64_t offset : at) sum += x[offset] - highest;
  return sum;
}

void check_labels(const std::int64_t* labels, const TensorRef& logits) {
  ensure(labels, "the loss has labels");
  for (std::int64_t i = 0; i < logits.n * logits.pixels(); ++i) {
    ensure(labels[i] >= kIgnored && labels[i] < logits.c, "labels are checked before a step");
  }
}

template <class T>
class Loss : public Kernel {
 public:
  explicit Loss(const KernelSpec& spec) : weight_(node_of(spec).attrs.weight) {}

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]);
    const TensorOf<float> y(args.output);
    check_labels(args.labels, x);
    const std::vector<std::int64_t> at = channel_offsets(x);
    const Smoothed target(args.step.label_smoothing, x.c);
    parallel_for(x.n, x.elems() >= kMinParallelElems, [&](std::int64_t i) {
      const std::vector<double> sums = sample_sums(x, i, args.labels + i * x.pixels(), at, target);
      for (std::int64_t c = 0; c < y.c; ++c)
        y.data[y.at(i, c, 0)] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    check_labels(args.labels, x);
    const std::vector<std::int64_t> at = channel_offsets(x), to = channel_offsets(dx);
    const Smoothed target(args.step.label_smoothing, x.c);
    const double share =
        weight_ / static_cast<double>(std::max<std::int64_t>(1, args.step.counted));
    with_flag(args.accumulate[0], [&](auto add) {
      parallel_for(x.n * x.pixels(), x.elems() >= kMinParallelElems, [&](std::int64_t k) {
        const T* from = pixel_of(x, k / x.pixels(), k % x.pixels());
        T* grad = pixel_of(dx, k / x.pixels(), k % x.pixels());
        const std::int64_t label = args.labels[k];
        const Summary s = label == kIgnored ? Summary{} : summarise(from, at);
        for (std::size_t c = 0; c < at.size(); ++c) {
          const double wanted =
              target.each + (static_cast<std::int64_t>(c) == label ? target.label : 0);
          put(grad[to[c]], label == kIgnored ? 0 : gradient(from[at[c]], s, wanted, share), add);
        }
      });
    });
  }

 private:
  /// Loss, right pixels, and of each class the pixels that are right, predicted, labelled.
  static std::vector<double> sample_sums(const TensorOf<T>& x, std::int64_t i,
                                         const std::int64_t* labels,
                                         const std::vector<std::int64_t>& at,
                                         const Smoothed& target) {
    const std::size_t classes = at.size();
    std::vector<double> sums(2 + 3 * classes);
    for (std::int64_t p = 0; p < x.pixels(); ++p) {
      if (labels[p] == kIgnored) continue;
      const T* pixel = pixel_of(x, i, p);
      const Summary s = summarise(pixel, at);
      const auto label = static_cast<std::size_t>(labels[p]), top = static_cast<std::size_t>(s.top);
      sums[0] += std::log(s.exp_sum) - target.label * (pixel[at[label]] - s.highest);
      if (target.each > 0) sums[0] -= target.each * sum_below(pixel, at, s.highest);
      sums[1] += top == label ? 1 : 0;
      sums[2 + label] += top == label ? 1 : 0;
      sums[2 + classes + top] += 1;
      sums[2 + 2 * classes + label] += 1;
    }
    return sums;
  }

  static float gradient(float logit, const Summary& s, double wanted, double share) {
    const double probability = std::exp(logit - s.highest) / s.exp_sum;
    return static_cast<float>((probability - wanted) * share);
  }

  double weight_;
};

}  // namespace

KernelPtr make_loss(const KernelSpec& spec) { return make_stored<Loss>(spec, spec); }

}  // namespace hpmp::cpu
