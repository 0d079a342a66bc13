// The plain convolution, by its definition.
#include "engine/cuda/kernels/conv.h"

#include "engine/cuda/kernels/portable.h"
#include "engine/cuda/kernels/windows.h"

namespace hpmp::cuda {

HPMP_DEVICE long long input_at(const ConvShape& s, int n, int h, int w) {
  return ((static_cast<long long>(n) * s.rows.input + h) * s.columns.input + w) * s.c;
}
HPMP_DEVICE long long output_at(const ConvShape& s, int n, int h, int w) {
  return ((static_cast<long long>(n) * s.rows.output + h) * s.columns.output + w) * s.k;
}
/// Of weight (k, first channel, tap (r, s)); the next channel is a filter's taps further.
HPMP_DEVICE long long weight_at(const ConvShape& s, int k, int r, int column) {
  const long long taps = s.rows.kernel * s.columns.kernel;
  return static_cast<long long>(k) * (s.c / s.groups) * taps + r * s.columns.kernel + column;
}

template <class T>
HPMP_DEVICE float stored(const void* data, long long at) {
  return widen(static_cast<const T*>(data)[at]);
}

template <class T, int V>
HPMP_DEVICE void conv_forward(const ConvArgs& a, int i) {
  const ConvShape& s = a.shape;
  const PixelPlace at = pixel_place<1>(i, s.k, s.rows.output, s.columns.output);
  const int channels = s.c / s.groups, k = at.channel;
  const int first = k / (s.k / s.groups) * channels, taps = s.rows.kernel * s.columns.kernel;
  const Taps rows = taps_inside(s.rows, at.h, s.rows.input);
  const Taps columns = taps_inside(s.columns, at.w, s.columns.input);
  float sum = a.bias ? a.bias[k] : 0.f;
  for (int r = rows.first; r < rows.last; ++r) {
    for (int q = columns.first; q < columns.last; ++q) {
      const long long x = input_at(s, at.n, rows.begin + r * s.rows.dilation,
                                   columns.begin + q * s.columns.dilation) +
                          first;
      const float* w = a.weights + weight_at(s, k, r, q);
      for (int c = 0; c < channels; ++c)
        sum = fmaf(stored<T>(a.x, x + c), w[static_cast<long long>(c) * taps], sum);
    }
  }
  if (a.addend) sum += stored<T>(a.addend, i);
  store<T, 1>(a.y, i, {{held(sum, a.low, a.high)}});
}
HPMP_NARROW_KERNEL(conv_forward, ConvArgs)

template <class T, int V>
HPMP_DEVICE void conv_data_grad(const ConvDataGradArgs& a, int i) {
  const ConvShape& s = a.shape;
  const PixelPlace at = pixel_place<1>(i, s.c, s.rows.input, s.columns.input);
  const int channels = s.c / s.groups, outputs = s.k / s.groups;
  const int first = at.channel / channels * outputs;
  const long long taps = s.rows.kernel * s.columns.kernel, filter = channels * taps;
  float sum = 0;
  for (int r = 0; r < s.rows.kernel; ++r) {
    const int h = output_of(s.rows, at.h, r);
    for (int q = 0; h >= 0 && q < s.columns.kernel; ++q) {
      const int w = output_of(s.columns, at.w, q);
      if (w < 0) continue;
      const long long dy = output_at(s, at.n, h, w) + first;
      const float* from = a.weights + weight_at(s, first, r, q) + at.channel % channels * taps;
      for (int k = 0; k < outputs; ++k) sum = fmaf(stored<T>(a.dy, dy + k), from[k * filter], sum);
    }
  }
  put<T, 1>(a.dx, i, {{sum}}, a.accumulate);
}
HPMP_NARROW_KERNEL(conv_data_grad, ConvDataGradArgs)

/// The products of one sample for weight (k, c) at tap (r, q).
template <class T>
HPMP_DEVICE double weight_grad_of(const ConvWeightGradArgs& a, int n, int k, int c, int r, int q) {
  const ConvShape& s = a.shape;
  double sum = 0;
  for (int oh = 0; oh < s.rows.output; ++oh) {
    const int h = oh * s.rows.stride - s.rows.pad + r * s.rows.dilation;
    if (h < 0 || h >= s.rows.input) continue;
    for (int ow = 0; ow < s.columns.output; ++ow) {
      const int w = ow * s.columns.stride - s.columns.pad + q * s.columns.dilation;
      if (w < 0 || w >= s.columns.input) continue;
      sum += static_cast<double>(stored<T>(a.x, input_at(s, n, h, w) + c)) *
             stored<T>(a.dy, output_at(s, n, oh, ow) + k);
    }
  }
  return sum;
}

template <class T, int V>
HPMP_DEVICE void conv_weight_grad(const ConvWeightGradArgs& a, int i) {
  const ConvShape& s = a.shape;
  const int taps = s.rows.kernel * s.columns.kernel, channels = s.c / s.groups;
  const int tap = i % taps, k = i / taps / channels;
  const int c = k / (s.k / s.groups) * channels + i / taps % channels;
  double sum = 0;
  for (int n = 0; n < s.n; ++n)
    sum += weight_grad_of<T>(a, n, k, c, tap / s.columns.kernel, tap % s.columns.kernel);
  put<float, 1>(a.grad, i, {{static_cast<float>(sum)}}, a.accumulate);
}
HPMP_NARROW_KERNEL(conv_weight_grad, ConvWeightGradArgs)

HPMP_DEVICE void fold_norm(const FoldArgs& a, int k) {
  const double scale = a.scale[k] / sqrt(static_cast<double>(a.variance[k]) + a.epsilon);
  const double bias = a.bias ? a.bias[k] : 0.f;
  const long long row = static_cast<long long>(k) * a.row;
  for (int i = 0; i < a.row; ++i)
    a.folded_weights[row + i] = a.weights[row + i] * static_cast<float>(scale);
  a.folded_bias[k] = static_cast<float>(a.shift[k] + (bias - a.mean[k]) * scale);
}
HPMP_PLAIN_KERNEL(fold_norm, FoldArgs)

}  // namespace hpmp::cuda
