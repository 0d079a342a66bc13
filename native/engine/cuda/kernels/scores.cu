// softmax and the loss, a block per row.
#include "engine/cuda/kernels/scores.h"

#include "engine/cuda/kernels/labels.h"
#include "engine/cuda/kernels/row.h"

namespace hpmp::cuda {

template <class T>
HPMP_DEVICE float element(const void* data, int row, int c, int k) {
  return element<T>(data, static_cast<long long>(row) * c + k);
}

/// Leaves this thread's greatest element, the first of equal ones.
template <class T>
HPMP_DEVICE void leave_highest(const void* x, int row, int c, int thread, RowShared& shared) {
  float highest = -infinite();
  int top = c;
  for (int k = thread; k < c; k += kRowThreads) {
    const float v = element<T>(x, row, c, k);
    if (top < c && !(v > highest)) continue;
    highest = v;
    top = k;
  }
  shared.highest[thread] = highest;
  shared.top[thread] = top;
}

struct Highest {
  float value;
  int at;
};

HPMP_DEVICE Highest highest_of(const RowShared& shared) {
  Highest best{shared.highest[0], shared.top[0]};
  for (int t = 1; t < kRowThreads; ++t) {
    const float v = shared.highest[t];
    if (!(v > best.value || (v == best.value && shared.top[t] < best.at))) continue;
    best = {v, shared.top[t]};
  }
  return best;
}

/// Leaves this thread's part of the sum of exp(x - highest).
template <class T>
HPMP_DEVICE void leave_exp_sum(const void* x, int row, int c, int thread, RowShared& shared) {
  const float highest = highest_of(shared).value;
  double sum = 0;
  for (int k = thread; k < c; k += kRowThreads) sum += expf(element<T>(x, row, c, k) - highest);
  shared.sum[thread] = sum;
}

/// Leaves this thread's part of the sum of x - highest.
template <class T>
HPMP_DEVICE void leave_sum_below(const void* x, int row, int c, int thread, RowShared& shared) {
  const float highest = highest_of(shared).value;
  double sum = 0;
  for (int k = thread; k < c; k += kRowThreads) sum += element<T>(x, row, c, k) - highest;
  shared.other[thread] = sum;
}

/// y from x - highest and the row's sum of exp(x - highest); dx from dy and the row's sum of terms.
struct Softmax {
  static HPMP_DEVICE float factor(double sum) { return static_cast<float>(1 / sum); }
  static HPMP_DEVICE float y(float x, float factor) { return expf(x) * factor; }
  static HPMP_DEVICE double term(float y, float dy) { return static_cast<double>(y) * dy; }
  static HPMP_DEVICE float dx(float y, float dy, float sum) { return y * (dy - sum); }
};

struct LogSoftmax {
  static HPMP_DEVICE float factor(double sum) { return static_cast<float>(log(sum)); }
  static HPMP_DEVICE float y(float x, float log_sum) { return x - log_sum; }
  static HPMP_DEVICE double term(float, float dy) { return dy; }
  static HPMP_DEVICE float dx(float y, float dy, float sum) { return dy - expf(y) * sum; }
};

template <class T, class Rule>
struct ScoresForward {
  static constexpr int kPhases = 3;
  static HPMP_DEVICE void run(const SoftmaxArgs& a, int row, int thread, int phase,
                              RowShared& shared) {
    if (phase == 0) return leave_highest<T>(a.x, row, a.c, thread, shared);
    if (phase == 1) return leave_exp_sum<T>(a.x, row, a.c, thread, shared);
    const float highest = highest_of(shared).value;
    const float factor = Rule::factor(sum_of(shared.sum));
    for (int k = thread; k < a.c; k += kRowThreads) {
      const float y = Rule::y(element<T>(a.x, row, a.c, k) - highest, factor);
      store<T, 1>(a.y, static_cast<long long>(row) * a.c + k, {{y}});
    }
  }
};

/// dx (=|+=) what the rule says.
template <class T, class Rule>
struct ScoresBackward {
  static constexpr int kPhases = 2;
  static HPMP_DEVICE void run(const SoftmaxGradArgs& a, int row, int thread, int phase,
                              RowShared& shared) {
    if (phase == 0) return leave_terms(a, row, thread, shared);
    const float sum = static_cast<float>(sum_of(shared.sum));
    for (int k = thread; k < a.c; k += kRowThreads) {
      const float y = element<T>(a.y, row, a.c, k), dy = element<T>(a.dy, row, a.c, k);
      put<T, 1>(a.dx, static_cast<long long>(row) * a.c + k, {{Rule::dx(y, dy, sum)}},
                a.accumulate);
    }
  }

 private:
  static HPMP_DEVICE void leave_terms(const SoftmaxGradArgs& a, int row, int thread,
                                      RowShared& shared) {
    double sum = 0;
    for (int k = thread; k < a.c; k += kRowThreads)
      sum += Rule::term(element<T>(a.y, row, a.c, k), element<T>(a.dy, row, a.c, k));
    shared.sum[thread] = sum;
  }
};

template <class T>
using softmax_forward = ScoresForward<T, Softmax>;
template <class T>
using softmax_backward = ScoresBackward<T, Softmax>;
template <class T>
using log_softmax_forward = ScoresForward<T, LogSoftmax>;
template <class T>
using log_softmax_backward = ScoresBackward<T, LogSoftmax>;
HPMP_ROW_KERNEL(softmax_forward, SoftmaxArgs)
HPMP_ROW_KERNEL(softmax_backward, SoftmaxGradArgs)
HPMP_ROW_KERNEL(log_softmax_forward, SoftmaxArgs)
HPMP_ROW_KERNEL(log_softmax_backward, SoftmaxGradArgs)

template <class T>
struct loss_forward {
  static constexpr int kPhases = 3;
  static HPMP_DEVICE void run(const LossArgs& a, int row, int thread, int phase,
                              RowShared& shared) {
    if (phase == 0) return leave_highest<T>(a.x, row, a.c, thread, shared);
    const Smoothed target = smoothed(a);
    if (phase == 1) {
      leave_exp_sum<T>(a.x, row, a.c, thread, shared);
      if (target.each > 0) leave_sum_below<T>(a.x, row, a.c, thread, shared);
      return;
    }
    if (thread != 0) return;
    const long long label = a.labels[row];
    float loss = label == -1 ? 0.f : not_a_number(), correct = 0;
    if (is_class(label, a.c)) {
      const Highest top = highest_of(shared);
      const float logit = element<T>(a.x, row, a.c, static_cast<int>(label));
      double sum = log(sum_of(shared.sum)) - target.label * (logit - top.value);
      if (target.each > 0) sum -= target.each * sum_of(shared.other);
      loss = static_cast<float>(sum);
      correct = top.at == label ? 1.f : 0.f;
    }
    a.y[2 * row] = loss;
    a.y[2 * row + 1] = correct;
  }
};
HPMP_ROW_KERNEL(loss_forward, LossArgs)

template <class T>
struct loss_backward {
  static constexpr int kPhases = 3;
  static HPMP_DEVICE void run(const LossGradArgs& a, int row, int thread, int phase,
                              RowShared& shared) {
    if (phase == 0) return leave_highest<T>(a.x, row, a.c, thread, shared);
    if (phase == 1) return leave_exp_sum<T>(a.x, row, a.c, thread, shared);
    const long long label = a.labels[row];
    const float highest = highest_of(shared).value;
    const double sum = sum_of(shared.sum), share = share_of(a);
    const Smoothed target = smoothed(a);
    for (int k = thread; k < a.c; k += kRowThreads) {
      const double p = expf(element<T>(a.x, row, a.c, k) - highest) / sum;
      float dx = static_cast<float>((p - target.of(k == label)) * share);
      if (!is_class(label, a.c)) dx = label == -1 ? 0.f : not_a_number();
      put<T, 1>(a.dx, static_cast<long long>(row) * a.c + k, {{dx}}, a.accumulate);
    }
  }
};
HPMP_ROW_KERNEL(loss_backward, LossGradArgs)

}  // namespace hpmp::cuda
