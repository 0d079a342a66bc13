// The passes of a convolution, each in the way that is fastest for its shape.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/cpu/bounds.h"
#include "engine/kernel.h"

namespace hpmp::cpu {

/// From activations to activations: the forward pass, or the gradient of the input.
class ConvMap {
 public:
  virtual ~ConvMap() = default;
  virtual std::size_t scratch_bytes() const = 0;
  virtual std::size_t resident_bytes() const = 0;
  /// Before the first `run` and after every change; weights: as the graph has them.
  virtual void load(const float* weights) = 0;
  /// dst = src * weights + bias + addend, within the bounds that it was prepared with; bias and
  /// addend are null where there are none, the addend may be dst itself.
  virtual void run(void* src, void* dst, float* bias, void* addend, std::byte* scratch) = 0;
};

/// The gradients of weights and bias.
class ConvParamGrad {
 public:
  virtual ~ConvParamGrad() = default;
  virtual std::size_t scratch_bytes() const = 0;
  /// Adds; either gradient may be null.
  virtual void run(void* src, void* grad_dst, float* weights, float* bias, std::byte* scratch) = 0;
};

/// Null where it is not prepared for: an inference plan, a first layer.
struct ConvPasses {
  std::unique_ptr<ConvMap> forward, backward_data;
  std::unique_ptr<ConvParamGrad> backward_params;
};

/// What the forward pass does with the sums, by the nodes that its link fuses behind the conv.
struct ConvTail {
  explicit ConvTail(const KernelSpec& spec);

  NodeId norm;  // folded into weights and bias
  bool adds = false;
  Bounds bounds;
  bool has_bias;  // its own or the folded one
};

/// Prepares the passes that are still missing and that the spec asks for, with oneDNN.
void add_direct_passes(const KernelSpec& spec, const ConvTail& tail, ConvPasses& passes);

/// Prepares, by Winograd, the passes that this makes faster.
void add_winograd_passes(const KernelSpec& spec, const ConvTail& tail, ConvPasses& passes);

/// The block of the tensor that the kernel will be given.
std::int64_t input_block(const KernelSpec& spec);
std::int64_t output_block(const KernelSpec& spec);

}  // namespace hpmp::cpu
