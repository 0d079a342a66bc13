// The loss of maps, a thread per pixel.
#include "engine/cuda/kernels/map_loss.h"

#include "engine/cuda/kernels/labels.h"
#include "engine/cuda/kernels/sum_chunk.h"

namespace hpmp::cuda {

/// Greatest logit, which, and the sum of exp(logit - greatest).
struct PixelSummary {
  float highest;
  int top;
  double exp_sum;
};

template <class T>
HPMP_DEVICE PixelSummary summary_of(const void* data, int pixel, int c) {
  const T* x = static_cast<const T*>(data) + static_cast<long long>(pixel) * c;
  PixelSummary s{widen(x[0]), 0, 0};
  for (int k = 1; k < c; ++k) {
    const float v = widen(x[k]);
    if (!(v > s.highest)) continue;
    s.highest = v;
    s.top = k;
  }
  for (int k = 0; k < c; ++k) s.exp_sum += expf(widen(x[k]) - s.highest);
  return s;
}

template <class T>
HPMP_DEVICE double sum_below(const void* data, int pixel, int c, float highest) {
  const T* x = static_cast<const T*>(data) + static_cast<long long>(pixel) * c;
  double sum = 0;
  for (int k = 0; k < c; ++k) sum += widen(x[k]) - highest;
  return sum;
}

template <class T, int V>
HPMP_DEVICE void pixel_scores(const PixelScoresArgs& a, int i) {
  const long long label = a.labels[i];
  PixelScore score{label == -1 ? 0.f : not_a_number(), -1};
  if (is_class(label, a.c)) {
    const PixelSummary s = summary_of<T>(a.x, i, a.c);
    const float logit = load<T, 1>(a.x, static_cast<long long>(i) * a.c + label)[0];
    const Smoothed target = smoothed(a);
    double loss = log(s.exp_sum) - target.label * (logit - s.highest);
    if (target.each > 0) loss -= target.each * sum_below<T>(a.x, i, a.c, s.highest);
    score = {static_cast<float>(loss), s.top};
  }
  a.scores[i] = score;
}
HPMP_NARROW_KERNEL(pixel_scores, PixelScoresArgs)

HPMP_DEVICE void class_sums(const ClassSumsArgs& a, int i) {
  const ChunkPlace at = chunk_place(a.c, a.pixels, a.chunks, i / a.c, i % a.c);
  SumPair found{0, 0}, labelled{0, 0};
  for (long long pixel = at.first; pixel < at.last; ++pixel) {
    const PixelScore score = a.scores[pixel];
    const long long label = a.labels[pixel];
    const bool own = label == at.channel, lost = at.channel == 0 && !is_class(label, a.c);
    found.first += own && score.top == at.channel ? 1 : 0;
    found.second += score.top == at.channel ? 1 : 0;
    labelled.first += own ? 1 : 0;
    labelled.second += own || lost ? score.loss : 0.f;
  }
  SumPair* row = a.partials + 2 * (at.slot - at.channel);
  row[at.channel] = found;
  row[a.c + at.channel] = labelled;
}
HPMP_PLAIN_KERNEL(class_sums, ClassSumsArgs)

HPMP_DEVICE void class_totals(const ClassTotalsArgs& a, int i) {
  const int width = 2 + 3 * a.c, column = i % width;
  const SumPair* sums = a.sums + static_cast<long long>(i / width) * 2 * a.c;
  const int part = (column - 2) / a.c, k = (column - 2) % a.c;
  double total = 0;
  for (int c = 0; column < 2 && c < a.c; ++c)
    total += column == 0 ? sums[a.c + c].second : sums[c].first;
  if (column >= 2)
    total = part == 0 ? sums[k].first : part == 1 ? sums[k].second : sums[a.c + k].first;
  a.y[i] = static_cast<float>(total);
}
HPMP_PLAIN_KERNEL(class_totals, ClassTotalsArgs)

template <class T, int V>
HPMP_DEVICE void map_loss_backward(const LossGradArgs& a, int i) {
  const long long label = a.labels[i], row = static_cast<long long>(i) * a.c;
  const bool counts = is_class(label, a.c);
  PixelSummary s{0, 0, 1};
  if (counts) s = summary_of<T>(a.x, i, a.c);
  const double share = share_of(a);
  const Smoothed target = smoothed(a);
  for (int k = 0; k < a.c; ++k) {
    float dx = label == -1 ? 0.f : not_a_number();
    if (counts) {
      const double p = expf(load<T, 1>(a.x, row + k)[0] - s.highest) / s.exp_sum;
      dx = static_cast<float>((p - target.of(k == label)) * share);
    }
    put<T, 1>(a.dx, row + k, {{dx}}, a.accumulate);
  }
}
HPMP_NARROW_KERNEL(map_loss_backward, LossGradArgs)

}  // namespace hpmp::cuda
