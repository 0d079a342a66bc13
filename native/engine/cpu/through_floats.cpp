#include "engine/cpu/through_floats.h"

#include <utility>

#include "engine/cpu/elementwise.h"

namespace hpmp::cpu {
namespace {

/// fp32 copies in the scratch of one call, one behind the other.
class Copies {
 public:
  explicit Copies(std::byte* scratch) : next_(scratch) {}

  static std::size_t bytes_of(std::int64_t elems) {
    return (static_cast<std::size_t>(elems) * sizeof(float) + 63) / 64 * 64;
  }
  /// Null where `t` is.
  TensorRef room(TensorRef t) {
    if (!t.data) return t;
    t.data = next_;
    t.dtype = DType::fp32;
    next_ += bytes_of(t.elems());
    return t;
  }
  TensorRef filled(const TensorRef& from) {
    const TensorRef to = room(from);
    copy_elems(to, from, false);
    return to;
  }
  std::byte* rest() const { return next_; }

 private:
  std::byte* next_;
};

class ThroughFloats : public Kernel {
 public:
  ThroughFloats(const KernelSpec& spec, KernelPtr inner) : inner_(std::move(inner)) {
    std::size_t inputs = 0;
    for (const Shape& s : spec.input_shapes) inputs += Copies::bytes_of(spec.samples * s.elems());
    copies_bytes_ = 2 * inputs + Copies::bytes_of(spec.samples * spec.output_shape.elems());
  }

  std::size_t scratch_bytes() const override { return copies_bytes_ + inner_->scratch_bytes(); }
  std::size_t resident_bytes() const override { return inner_->resident_bytes(); }
  void load_params(const std::vector<float*>& params) override { inner_->load_params(params); }

  void forward(const ForwardArgs& args) override {
    Copies copies(args.scratch);
    ForwardArgs own = args;
    for (TensorRef& input : own.inputs) input = copies.filled(input);
    own.output = copies.room(args.output);
    own.scratch = copies.rest();
    inner_->forward(own);
    copy_elems(args.output, own.output, false);
  }

  void backward(const BackwardArgs& args) override {
    Copies copies(args.scratch);
    BackwardArgs own = args;
    for (TensorRef& input : own.inputs) input = copies.filled(input);
    own.grad_output = copies.filled(args.grad_output);
    for (TensorRef& grad : own.grad_inputs) grad = copies.room(grad);
    own.accumulate.assign(own.accumulate.size(), false);
    own.scratch = copies.rest();
    inner_->backward(own);
    for (std::size_t k = 0; k < own.grad_inputs.size(); ++k)
      copy_elems(args.grad_inputs[k], own.grad_inputs[k], args.accumulate[k]);
  }

 private:
  KernelPtr inner_;
  std::size_t copies_bytes_ = 0;
};

}  // namespace

KernelPtr through_floats(const KernelSpec& spec, KernelPtr inner) {
  return std::make_unique<ThroughFloats>(spec, std::move(inner));
}

}  // namespace hpmp::cpu
