// The passes of a convolution on the GPU, each in one of two ways: cuDNN's plans, or the plain
// kernels.
#pragma once

#include <memory>

#include "engine/cpu/conv.h"
#include "engine/cuda/kernels/conv.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

/// What is to be prepared.
struct ConvProblem {
  ConvShape shape;
  bool biased = false, adds = false;
  cpu::Bounds bounds;
  bool forward = true, data_grad = true, weight_grad = true;  // the passes that are asked for
  bool accumulates = true;                                    // data_grad may be asked to add
};

class ConvPasses {
 public:
  virtual ~ConvPasses() = default;
  virtual std::size_t scratch_bytes() const { return 0; }
  virtual std::size_t resident_bytes() const { return 0; }
  /// Before the first pass and after every change. weights: fp32 [k][c / groups][taps] on the GPU,
  /// which stay there; bias: null, or what forward will be given.
  virtual void load(const float* weights, const float* bias) = 0;
  /// y = x * weights + bias + addend, held between the bounds.
  virtual void forward(const void* x, const float* bias, const void* addend, void* y,
                       std::byte* scratch) = 0;
  virtual void data_grad(const void* dy, void* dx, bool accumulate, std::byte* scratch) = 0;
  /// grad: fp32, as the weights; = or, where `accumulate`, +=.
  virtual void weight_grad(const void* x, const void* dy, float* grad, bool accumulate,
                           std::byte* scratch) = 0;
};

/// By cuDNN where it has all of them, else plain.
std::unique_ptr<ConvPasses> make_conv_passes(const ConvProblem& problem, const Target& target);

std::unique_ptr<ConvPasses> make_plain_conv(const ConvProblem& problem, const Target& target);

/// Null where cuDNN is not there or has no engine for one of the passes.
std::unique_ptr<ConvPasses> make_planned_conv(const ConvProblem& problem, const Target& target);

}  // namespace hpmp::cuda
