// Convolutions by oneDNN: primitives prepared once for our layouts, copies only where it has no
// fast code for them. Weights stay plain outside; `load` makes the copies that the primitives like.
#include <memory>
#include <utility>

#include "engine/cpu/direct/geometry.h"

namespace hpmp::cpu {
namespace {

/// The weights in the layout of a primitive, which the passes that like the same one share.
using SharedWeights = std::shared_ptr<HeldWeights>;

class DirectMap : public ConvMap {
 public:
  DirectMap(Pass pass, SharedWeights weights, bool owner, bool tail_adds = false)
      : stream_(cpu_engine()),
        pass_(std::move(pass)),
        weights_(std::move(weights)),
        owner_(owner),
        tail_adds_(tail_adds) {}

  std::size_t scratch_bytes() const override { return pass_.scratch_bytes(); }
  std::size_t resident_bytes() const override { return owner_ ? weights_->bytes() : 0; }
  void load(const float* weights) override {
    if (owner_) weights_->load(stream_, weights);
  }
  void run(void* src, void* dst, float* bias, void* addend, std::byte* scratch) override {
    if (tail_adds_) {
      pass_.run(stream_, {src, dst, addend, bias}, scratch, false);
    } else {
      pass_.run(stream_, {src, dst, bias}, scratch, addend != nullptr);
    }
  }

 private:
  dnnl::stream stream_;
  Pass pass_;
  SharedWeights weights_;
  bool owner_;      // of two that share them the first
  bool tail_adds_;  // the primitive does
};

class DirectParamGrad : public ConvParamGrad {
 public:
  explicit DirectParamGrad(Pass pass) : stream_(cpu_engine()), pass_(std::move(pass)) {}

  std::size_t scratch_bytes() const override { return pass_.scratch_bytes(); }
  void run(void* src, void* grad_dst, float* weights, float* bias, std::byte* scratch) override {
    pass_.run(stream_, {src, grad_dst, weights, bias}, scratch, true);
  }

 private:
  dnnl::stream stream_;
  Pass pass_;
};

Pass forward_pass(const Geometry& geometry, const ForwardDesc& pd, const HeldWeights& weights,
                  const ConvTail& tail) {
  Pass pass;
  pass.add(DNNL_ARG_SRC, geometry.src.desc(), pd.src_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DST, geometry.dst.desc(), pd.dst_desc(), Operand::kWrite);
  if (tail.adds) {
    pass.add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, geometry.dst.desc(),
             geometry.dst.desc(), Operand::kRead);
  }
  if (tail.has_bias) pass.add(DNNL_ARG_BIAS, geometry.bias, geometry.bias, Operand::kRead);
  pass.hold(DNNL_ARG_WEIGHTS, weights.held);
  pass.prepare<dnnl::convolution_forward>(pd);
  return pass;
}

Pass backward_data_pass(const Geometry& geometry, const DataDesc& pd, const HeldWeights& weights,
                        bool accumulates) {
  Pass pass;
  pass.add(DNNL_ARG_DIFF_DST, geometry.dst.desc(), pd.diff_dst_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DIFF_SRC, geometry.src.desc(), pd.diff_src_desc(), Operand::kWrite,
           accumulates);
  pass.hold(DNNL_ARG_WEIGHTS, weights.held);
  pass.prepare<dnnl::convolution_backward_data>(pd);
  return pass;
}

Pass backward_params_pass(const Geometry& geometry, const WeightsDesc& pd) {
  Pass pass;
  pass.add(DNNL_ARG_SRC, geometry.src.desc(), pd.src_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DIFF_DST, geometry.dst.desc(), pd.diff_dst_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DIFF_WEIGHTS, geometry.plain_weights(), pd.diff_weights_desc(), Operand::kWrite,
           true);
  if (geometry.bias.get_ndims() > 0)
    pass.add(DNNL_ARG_DIFF_BIAS, geometry.bias, geometry.bias, Operand::kWrite, true);
  pass.prepare<dnnl::convolution_backward_weights>(pd);
  return pass;
}

}  // namespace

void add_direct_passes(const KernelSpec& spec, const ConvTail& tail, ConvPasses& passes) {
  const Geometry geometry(spec, tail);
  const ForwardDesc hint = geometry.forward(tail);
  SharedWeights weights;
  if (!passes.forward) {
    weights = std::make_shared<HeldWeights>(geometry.plain_weights(), hint.weights_desc());
    passes.forward = std::make_unique<DirectMap>(forward_pass(geometry, hint, *weights, tail),
                                                 weights, true, tail.adds);
  }
  if (!spec.training) return;
  if (!passes.backward_params) {
    passes.backward_params = std::make_unique<DirectParamGrad>(
        backward_params_pass(geometry, geometry.backward_weights(hint)));
  }
  if (!spec.input_gradient || passes.backward_data) return;
  const DataDesc pd = geometry.backward_data(hint);
  const bool shared = weights && pd.weights_desc() == hint.weights_desc();
  if (!shared) weights = std::make_shared<HeldWeights>(geometry.plain_weights(), pd.weights_desc());
  passes.backward_data = std::make_unique<DirectMap>(
      backward_data_pass(geometry, pd, *weights, spec.accumulate), weights, !shared);
}

}  // namespace hpmp::cpu
