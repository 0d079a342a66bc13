// conv: each pass prepared once, by Winograd where that is faster, else by oneDNN.
#include "engine/cpu/conv.h"

#include <dnnl.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/cpu/kernels.h"

namespace hpmp::cpu {
namespace {

std::int64_t block_of(std::int64_t given, const Shape& shape) {
  return given == 0 ? channel_block(shape.c) : given;
}

class Conv : public Kernel {
 public:
  explicit Conv(const KernelSpec& spec)
      : accumulates_(spec.accumulate), has_bias_(node_of(spec).params.size() > 1) {
    add_winograd_passes(spec, passes_);
    add_direct_passes(spec, passes_);
  }

  std::size_t scratch_bytes() const override {
    std::size_t most = passes_.forward->scratch_bytes();
    if (passes_.backward_data) most = std::max(most, passes_.backward_data->scratch_bytes());
    if (passes_.backward_params) most = std::max(most, passes_.backward_params->scratch_bytes());
    return most;
  }
  std::size_t resident_bytes() const override {
    return passes_.forward->resident_bytes() +
           (passes_.backward_data ? passes_.backward_data->resident_bytes() : 0);
  }

  void load_params(const std::vector<float*>& params) override {
    passes_.forward->load(params[0]);
    if (passes_.backward_data) passes_.backward_data->load(params[0]);
  }

  void forward(const ForwardArgs& args) override {
    float* bias = has_bias_ ? args.params[1] : nullptr;
    passes_.forward->run(args.inputs[0].data, args.output.data, bias, false, args.scratch);
  }

  void backward(const BackwardArgs& args) override {
    float* dy = args.grad_output.data;
    float* bias_grad = has_bias_ ? args.param_grads[1] : nullptr;
    if (args.param_grads[0] || bias_grad) {
      passes_.backward_params->run(args.inputs[0].data, dy, args.param_grads[0], bias_grad,
                                   args.scratch);
    }
    if (!args.grad_inputs[0].data) return;
    ensure(accumulates_ || !args.accumulate[0], "a convolution adds only if prepared to");
    passes_.backward_data->run(dy, args.grad_inputs[0].data, nullptr, args.accumulate[0],
                               args.scratch);
  }

 private:
  bool accumulates_, has_bias_;
  ConvPasses passes_;
};

}  // namespace

std::int64_t input_block(const KernelSpec& spec) {
  return block_of(spec.input_blocks.empty() ? 0 : spec.input_blocks[0], spec.input_shapes[0]);
}

std::int64_t output_block(const KernelSpec& spec) {
  return block_of(spec.output_block, spec.output_shape);
}

KernelPtr make_conv(const KernelSpec& spec) {
  try {
    return std::make_unique<Conv>(spec);
  } catch (const dnnl::error& e) {
    fail(ErrorCode::device_error, "cannot prepare node '" + node_of(spec).name +
                                      "' (Conv): oneDNN refuses its shape: " + e.what());
  }
}

}  // namespace hpmp::cpu
