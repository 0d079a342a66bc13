// Arguments of lrn: windows over the packed channels of a pixel.
#pragma once

namespace hpmp::cuda {

/// y = x scale^-beta with scale = bias + factor (the sum of x x over the window), kept for
/// backward. One item per output element. input_of[o]: the position among the inputs of output o.
struct LrnArgs {
  int items, inputs, outputs, below, above;
  float bias, factor, beta;
  const int* input_of;
  const void* x;
  void* y;
  float* scale;  // null in inference
};

/// One item per input element. output_of[k]: the position of input k among the outputs, -1: none.
struct LrnGradArgs {
  int items, inputs, outputs, below, above;
  float factor, beta;
  const int* output_of;
  const void *x, *dy;
  const float* scale;
  void* dx;
  int accumulate;
};

}  // namespace hpmp::cuda
