// conv: each pass prepared once, by Winograd where that is faster, else by oneDNN.
#include "engine/cpu/conv.h"

#include <dnnl.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/cpu/kernels.h"

namespace hpmp::cpu {
namespace {

std::int64_t block_of(std::int64_t given, const Shape& shape) {
  return given == 0 ? channel_block(shape.c) : given;
}

/// Weights and bias with a batch_norm of running statistics folded into them.
class Folded {
 public:
  /// params: [weight, (bias,) scale, shift, mean, variance].
  void load(const std::vector<float*>& params, std::int64_t rows, std::int64_t row,
            double epsilon) {
    const bool biased = params.size() == 6;
    float* const* norm = params.data() + (biased ? 2 : 1);
    weights_.resize(static_cast<std::size_t>(rows * row));
    bias_.resize(static_cast<std::size_t>(rows));
    for (std::int64_t k = 0; k < rows; ++k) {
      const double scale =
          static_cast<double>(norm[0][k]) / std::sqrt(static_cast<double>(norm[3][k]) + epsilon);
      const double bias = biased ? static_cast<double>(params[1][k]) : 0;
      const auto f = static_cast<float>(scale);
      for (std::int64_t i = k * row; i < (k + 1) * row; ++i)
        weights_[static_cast<std::size_t>(i)] = params[0][i] * f;
      bias_[static_cast<std::size_t>(k)] = static_cast<float>(
          static_cast<double>(norm[1][k]) + (bias - static_cast<double>(norm[2][k])) * scale);
    }
  }

  float* weights() { return weights_.data(); }
  float* bias() { return bias_.data(); }
  std::size_t bytes() const { return (weights_.size() + bias_.size()) * sizeof(float); }

 private:
  std::vector<float> weights_, bias_;
};

class Conv : public Kernel {
 public:
  explicit Conv(const KernelSpec& spec)
      : accumulates_(spec.accumulate),
        has_bias_(node_of(spec).params.size() > 1),
        tail_(spec),
        rows_(spec.output_shape.c),
        row_elems_(spec.graph->param(node_of(spec).params[0]).elems() /
                   spec.graph->param(node_of(spec).params[0]).rows()) {
    if (tail_.norm.valid()) epsilon_ = spec.graph->node(tail_.norm).attrs.epsilon;
    add_winograd_passes(spec, tail_, passes_);
    add_direct_passes(spec, tail_, passes_);
  }

  std::size_t scratch_bytes() const override {
    std::size_t most = passes_.forward->scratch_bytes();
    if (passes_.backward_data) most = std::max(most, passes_.backward_data->scratch_bytes());
    if (passes_.backward_params) most = std::max(most, passes_.backward_params->scratch_bytes());
    return most;
  }
  std::size_t resident_bytes() const override {
    return passes_.forward->resident_bytes() + folded_.bytes() +
           (passes_.backward_data ? passes_.backward_data->resident_bytes() : 0);
  }

  void load_params(const std::vector<float*>& params) override {
    if (tail_.norm.valid()) folded_.load(params, rows_, row_elems_, epsilon_);
    passes_.forward->load(tail_.norm.valid() ? folded_.weights() : params[0]);
    if (passes_.backward_data) passes_.backward_data->load(params[0]);
  }

  void forward(const ForwardArgs& args) override {
    float* bias = tail_.norm.valid() ? folded_.bias() : has_bias_ ? args.params[1] : nullptr;
    void* addend = tail_.adds ? args.inputs[1].data : nullptr;
    passes_.forward->run(args.inputs[0].data, args.output.data, bias, addend, args.scratch);
  }

  void backward(const BackwardArgs& args) override {
    void* dy = args.grad_output.data;
    float* bias_grad = has_bias_ ? args.param_grads[1] : nullptr;
    if (args.param_grads[0] || bias_grad) {
      passes_.backward_params->run(args.inputs[0].data, dy, args.param_grads[0], bias_grad,
                                   args.scratch);
    }
    void* dx = args.grad_inputs[0].data;
    if (!dx) return;
    ensure(accumulates_ || !args.accumulate[0], "a convolution adds only if prepared to");
    passes_.backward_data->run(dy, dx, nullptr, args.accumulate[0] ? dx : nullptr, args.scratch);
  }

 private:
  bool accumulates_, has_bias_;
  ConvTail tail_;
  std::int64_t rows_, row_elems_;
  double epsilon_ = 0;
  Folded folded_;
  ConvPasses passes_;
};

}  // namespace

ConvTail::ConvTail(const KernelSpec& spec)
    : bounds(bounds_of(spec, NodeId())), has_bias(node_of(spec).params.size() > 1) {
  for (NodeId n : spec.fused) {
    const OpKind op = spec.graph->node(n).op;
    if (op == OpKind::batch_norm) {
      norm = n;
      has_bias = true;
    } else if (op == OpKind::add) {
      adds = true;
    } else {
      bounds = bounds_of(spec, n);
    }
  }
}

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
