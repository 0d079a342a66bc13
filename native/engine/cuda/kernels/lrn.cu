// lrn over the packed channels of a pixel; windows stop at the tensor's ends.
#include "engine/cuda/kernels/lrn.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

template <class T>
HPMP_DEVICE float lrn_element(const void* data, long long at) {
  return widen(static_cast<const T*>(data)[at]);
}

template <class T, int V>
HPMP_DEVICE void lrn_forward(const LrnArgs& a, int i) {
  const long long row = static_cast<long long>(i / a.outputs) * a.inputs;
  const int center = a.input_of[i % a.outputs];
  float sum = 0;
  for (int k = center - a.below; k <= center + a.above; ++k) {
    if (k < 0 || k >= a.inputs) continue;
    const float x = lrn_element<T>(a.x, row + k);
    sum += x * x;
  }
  const float scale = a.bias + a.factor * sum;
  if (a.scale) a.scale[i] = scale;
  const float y = lrn_element<T>(a.x, row + center) * powf(scale, -a.beta);
  store<T, 1>(a.y, i, {{y}});
}
HPMP_NARROW_KERNEL(lrn_forward, LrnArgs)

/// dx[j] = dy[j] scale[j]^-beta
///     - 2 beta factor x[j] (the sum of dy x scale^(-beta-1) over the outputs whose window has j).
template <class T, int V>
HPMP_DEVICE void lrn_backward(const LrnGradArgs& a, int i) {
  const int own = i % a.inputs;
  const long long input_row = i - own;
  const long long output_row = static_cast<long long>(i / a.inputs) * a.outputs;
  float dx = 0, sum = 0;
  for (int k = own - a.above; k <= own + a.below; ++k) {
    const int o = k < 0 || k >= a.inputs ? -1 : a.output_of[k];
    if (o < 0) continue;
    const float scale = a.scale[output_row + o];
    const float dy = lrn_element<T>(a.dy, output_row + o) * powf(scale, -a.beta);
    sum += dy * lrn_element<T>(a.x, input_row + k) / scale;
    if (k == own) dx = dy;
  }
  dx -= 2 * a.beta * a.factor * lrn_element<T>(a.x, i) * sum;
  put<T, 1>(a.dx, i, {{dx}}, a.accumulate);
}
HPMP_NARROW_KERNEL(lrn_backward, LrnGradArgs)

}  // namespace hpmp::cuda
