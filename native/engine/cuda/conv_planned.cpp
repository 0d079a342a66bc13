// Convolutions by cuDNN's plans, with filters packed as they take them.
#include <algorithm>
#include <utility>

#include "engine/cuda/conv_passes.h"
#include "engine/cuda/conv_plans.h"
#include "engine/cuda/kernels/channels.h"
#include "engine/cuda/kernels/elementwise.h"
#include "engine/cuda/kernels/layout.h"

namespace hpmp::cuda {
namespace {

std::size_t rounded(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

struct Plans {
  std::unique_ptr<ConvPlan> forward, data_grad, weight_grad;
  bool finishes = false;  // forward adds bias and addend, and knows relu
};

class PlannedConv : public ConvPasses {
 public:
  PlannedConv(const ConvProblem& problem, Plans plans, const Target& target)
      : stream_(target.stream),
        shape_(problem.shape),
        bounds_(problem.bounds),
        plans_(std::move(plans)),
        elem_bytes_(static_cast<std::size_t>(elem_bytes(target.storage))),
        filter_(stream_.device(), filter_elems() * elem_bytes_, "a packed filter"),
        bias_(stream_.device(), static_cast<std::size_t>(shape_.k) * elem_bytes_, "a bias"),
        stores_floats_(target.storage == DType::fp32),
        pack_(*stream_.device(), "pack_filter", target.storage),
        add_grad_(*stream_.device(), "add_filter_grad", target.storage),
        finish_(*stream_.device(), "finish_conv", target.storage),
        sum_(*stream_.device(), "sum_operands", target.storage) {}

  std::size_t scratch_bytes() const override {
    std::size_t most = plans_.forward ? plans_.forward->workspace_bytes() : 0;
    if (plans_.data_grad)
      most = std::max(most,
                      rounded(input_elems() * elem_bytes_) + plans_.data_grad->workspace_bytes());
    if (plans_.weight_grad)
      most = std::max(
          most, rounded(filter_elems() * elem_bytes_) + plans_.weight_grad->workspace_bytes());
    return most;
  }
  std::size_t resident_bytes() const override { return filter_.bytes() + bias_.bytes(); }

  void load(const float* weights) override {
    pack_.run(stream_, elems(filter_elems()),
              {0, shape_.c / shape_.groups, taps(), weights, filter_.data()});
  }

  void forward(const void* x, const float* bias, const void* addend, void* y,
               std::byte* scratch) override {
    const bool finishes = plans_.finishes;
    plans_.forward->run(
        {x, filter_.data(), y, finishes ? stored_bias(bias) : nullptr, finishes ? addend : nullptr},
        scratch);
    if (finishes && is_held_by_plan()) return;
    if (finishes) bias = nullptr, addend = nullptr;
    if (!bias && !addend && is_unbounded()) return;
    finish_.run(stream_, elems(output_elems()), shape_.k, {y, addend, bias},
                {0, shape_.k, bounds_.low, bounds_.high, bias, addend, y});
  }

  void data_grad(const void* dy, void* dx, bool accumulate, std::byte* scratch) override {
    const std::size_t own = rounded(input_elems() * elem_bytes_);
    plans_.data_grad->run({accumulate ? scratch : dx, filter_.data(), dy}, scratch + own);
    if (!accumulate) return;
    SumArgs args{};
    args.count = 1;
    args.x[0] = scratch;
    args.y = dx;
    args.accumulate = 1;
    sum_.run(stream_, elems(input_elems()), elems(input_elems()), {scratch, dx}, args);
  }

  void weight_grad(const void* x, const void* dy, float* grad, std::byte* scratch) override {
    const std::size_t own = rounded(filter_elems() * elem_bytes_);
    plans_.weight_grad->run({x, scratch, dy}, scratch + own);
    add_grad_.run(stream_, elems(filter_elems()),
                  {0, shape_.c / shape_.groups, taps(), scratch, grad});
  }

 private:
  static std::int64_t elems(std::size_t count) { return static_cast<std::int64_t>(count); }
  int taps() const { return shape_.rows.kernel * shape_.columns.kernel; }
  std::size_t filter_elems() const {
    return static_cast<std::size_t>(shape_.k) *
           static_cast<std::size_t>(shape_.c / shape_.groups * taps());
  }
  std::size_t input_elems() const {
    return static_cast<std::size_t>(shape_.n) * static_cast<std::size_t>(shape_.rows.input) *
           static_cast<std::size_t>(shape_.columns.input) * static_cast<std::size_t>(shape_.c);
  }
  std::size_t output_elems() const {
    return static_cast<std::size_t>(shape_.n) * static_cast<std::size_t>(shape_.rows.output) *
           static_cast<std::size_t>(shape_.columns.output) * static_cast<std::size_t>(shape_.k);
  }
  /// As the plans take it: stored as activations are.
  const void* stored_bias(const float* bias) const {
    if (!bias || stores_floats_) return bias;
    pack_.run(stream_, shape_.k, {0, shape_.k, 1, bias, bias_.data()});
    return bias_.data();
  }
  bool is_unbounded() const { return bounds_.low != bounds_.low && bounds_.high != bounds_.high; }
  bool is_held_by_plan() const {
    return is_unbounded() || (bounds_.low == 0 && bounds_.high != bounds_.high);
  }

  Stream& stream_;
  ConvShape shape_;
  cpu::Bounds bounds_;
  Plans plans_;
  std::size_t elem_bytes_;
  DeviceBytes filter_, bias_;
  bool stores_floats_;
  NarrowEntry<FilterArgs> pack_, add_grad_;
  WideEntry<FinishArgs> finish_;
  WideEntry<SumArgs> sum_;
};

/// With what follows the convolution in it or, where no engine does that, without.
void plan_forward(const ConvProblem& problem, ConvPlanSpec spec, const Target& target,
                  Plans& plans) {
  std::string why;
  spec.biased = problem.biased;
  spec.adds = problem.adds;
  spec.relu = problem.bounds.low == 0 && problem.bounds.high != problem.bounds.high;
  plans.forward = make_conv_plan(target.stream, spec, why);
  plans.finishes = plans.forward != nullptr;
  if (plans.finishes) return;
  spec.biased = spec.adds = spec.relu = false;
  plans.forward = make_conv_plan(target.stream, spec, why);
}

}  // namespace

std::unique_ptr<ConvPasses> make_planned_conv(const ConvProblem& problem, const Target& target) {
  ConvPlanSpec spec;
  spec.shape = problem.shape;
  spec.storage = target.storage;
  spec.numerics = target.numerics;
  std::string why;
  Plans plans;
  if (problem.forward) {
    plan_forward(problem, spec, target, plans);
    if (!plans.forward) return nullptr;
  }
  if (problem.weight_grad) {
    spec.pass = ConvPass::weight_grad;
    plans.weight_grad = make_conv_plan(target.stream, spec, why);
    if (!plans.weight_grad) return nullptr;
  }
  if (problem.data_grad) {
    spec.pass = ConvPass::data_grad;
    plans.data_grad = make_conv_plan(target.stream, spec, why);
    if (!plans.data_grad) return nullptr;
  }
  return std::make_unique<PlannedConv>(problem, std::move(plans), target);
}

std::unique_ptr<ConvPasses> make_conv_passes(const ConvProblem& problem, const Target& target) {
  std::unique_ptr<ConvPasses> passes = make_planned_conv(problem, target);
  return passes ? std::move(passes) : make_plain_conv(problem, target);
}

}  // namespace hpmp::cuda
