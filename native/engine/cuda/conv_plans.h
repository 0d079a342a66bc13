// Convolutions as cuDNN plans them: one pass of one shape, built once, run with pointers.
#pragma once

#include <limits>
#include <memory>
#include <string>

#include "engine/cuda/kernels/conv.h"
#include "engine/cuda/prepare.h"

namespace hpmp::cuda {

enum class ConvPass : std::uint8_t { forward, data_grad, weight_grad };

/// Activations are NHWC, filters [k][taps][c / groups], bias [k], all stored as `storage`.
struct ConvPlanSpec {
  ConvPass pass = ConvPass::forward;
  ConvShape shape;
  DType storage = DType::fp32;
  Numerics numerics = Numerics::fp32;
  bool biased = false, adds = false, relu = false;      // forward: + bias, + addend, max(0, .)
  float most = std::numeric_limits<float>::infinity();  // forward with relu: min(most, .)
};

/// All of it but pads that no window reaches.
std::string key_of(const ConvPlanSpec& spec);

/// x, filter and y stand for their gradients where the pass computes or reads those.
struct ConvOperands {
  const void *x = nullptr, *filter = nullptr, *y = nullptr;
  const void *bias = nullptr, *addend = nullptr;
};

class ConvPlan {
 public:
  virtual ~ConvPlan() = default;
  virtual std::size_t workspace_bytes() const = 0;
  /// Writes y (forward), x (data_grad) or filter (weight_grad), on the stream that it was made for.
  virtual void run(const ConvOperands& operands, std::byte* workspace) = 0;
};

/// Whether make_conv_plan has a library to ask, and why not.
bool is_cudnn_there(std::string& why);

/// Whether a GPU that is not here has an engine for the pass; `gpu`: its properties as cuDNN writes
/// them (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION).
bool has_conv_engine(const ConvPlanSpec& spec, const std::string& gpu, std::string& why);

/// Null, and `why` in words, where cuDNN is not built in, is not found (HPMP_CUDNN, else
/// libcudnn.so.9), or has no engine for the pass. Plans of equal specs are built once per stream:
/// of the engine that cuDNN thinks fastest or, where HPMP_CUDNN_TRIES is more than 1, of the
/// fastest of as many, timed here; then two runs may differ in rounding.
std::unique_ptr<ConvPlan> make_conv_plan(const Stream& stream, const ConvPlanSpec& spec,
                                         std::string& why);

}  // namespace hpmp::cuda
