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

bool is_unbounded(const cpu::Bounds& b) { return b.low != b.low && b.high != b.high; }
/// With or without an upper bound: what plans know.
bool is_relu(const cpu::Bounds& b) { return b.low == 0; }

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
        stores_floats_(target.storage == DType::fp32),
        accumulates_(problem.accumulates),
        filter_(stream_.device(), keeps_plain() ? 0 : filter_elems() * elem_bytes_,
                "a packed filter"),
        bias_(stream_.device(),
              stores_floats_ ? 0 : static_cast<std::size_t>(shape_.k) * elem_bytes_, "a bias"),
        pack_(*stream_.device(), "pack_filter", target.storage),
        put_grad_(*stream_.device(), "put_filter_grad", target.storage),
        finish_(*stream_.device(), "finish_conv", target.storage),
        sum_(*stream_.device(), "sum_operands", target.storage) {}

  std::size_t scratch_bytes() const override {
    std::size_t most = plans_.forward ? plans_.forward->workspace_bytes() : 0;
    if (plans_.data_grad)
      most = std::max(most, own_input_bytes() + plans_.data_grad->workspace_bytes());
    if (plans_.weight_grad)
      most = std::max(most, own_filter_bytes() + plans_.weight_grad->workspace_bytes());
    return most;
  }
  std::size_t resident_bytes() const override { return filter_.bytes() + bias_.bytes(); }

  void load(const float* weights, const float* bias) override {
    loaded_ = keeps_plain() ? static_cast<const void*>(weights) : filter_.data();
    if (!keeps_plain()) pack(filter_elems(), taps(), weights, filter_.data());
    if (bias && !stores_floats_) pack(static_cast<std::size_t>(shape_.k), 1, bias, bias_.data());
  }

  void forward(const void* x, const float* bias, const void* addend, void* y,
               std::byte* scratch) override {
    const void* stored_bias =
        bias && !stores_floats_ ? bias_.data() : static_cast<const void*>(bias);
    const bool finishes = plans_.finishes;
    plans_.forward->run(
        {x, loaded_, y, finishes ? stored_bias : nullptr, finishes ? addend : nullptr}, scratch);
    if (finishes && (is_unbounded(bounds_) || is_relu(bounds_))) return;
    if (finishes) bias = nullptr, addend = nullptr;
    if (!bias && !addend && is_unbounded(bounds_)) return;
    finish_.run(stream_, elems(output_elems()), shape_.k, {y, addend, bias},
                {0, shape_.k, bounds_.low, bounds_.high, bias, addend, y});
  }

  void data_grad(const void* dy, void* dx, bool accumulate, std::byte* scratch) override {
    ensure(accumulates_ || !accumulate, "a convolution adds to a gradient if it was prepared to");
    plans_.data_grad->run({accumulate ? scratch : dx, loaded_, dy}, scratch + own_input_bytes());
    if (!accumulate) return;
    SumArgs args{};
    args.count = 1;
    args.x[0] = scratch;
    args.y = dx;
    args.accumulate = 1;
    sum_.run(stream_, elems(input_elems()), elems(input_elems()), {scratch, dx}, args);
  }

  void weight_grad(const void* x, const void* dy, float* grad, bool accumulate,
                   std::byte* scratch) override {
    const bool direct = keeps_plain() && !accumulate;
    void* filter = direct ? static_cast<void*>(grad) : scratch;
    plans_.weight_grad->run({x, filter, dy}, scratch + own_filter_bytes());
    if (direct) return;
    put_grad_.run(stream_, elems(filter_elems()), run_elems(filter_elems(), taps()),
                  {scratch, grad}, {0, row(), taps(), scratch, grad, accumulate});
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
  /// Filters of one tap lie as the plans take them: nothing is packed.
  bool keeps_plain() const { return stores_floats_ && taps() == 1; }
  int row() const { return shape_.c / shape_.groups; }
  std::size_t own_input_bytes() const {
    return accumulates_ ? rounded(input_elems() * elem_bytes_) : 0;
  }
  std::size_t own_filter_bytes() const { return rounded(filter_elems() * elem_bytes_); }

  /// What vectors may not cross.
  static std::int64_t run_elems(std::size_t count, int taps) {
    return taps == 1 ? elems(count) : 1;
  }

  void pack(std::size_t count, int taps, const float* from, void* to) const {
    pack_.run(stream_, elems(count), run_elems(count, taps), {from, to},
              {0, row(), taps, from, to, 0});
  }

  Stream& stream_;
  ConvShape shape_;
  cpu::Bounds bounds_;
  Plans plans_;
  std::size_t elem_bytes_;
  bool stores_floats_, accumulates_;
  DeviceBytes filter_, bias_;
  const void* loaded_ = nullptr;
  WideEntry<FilterArgs> pack_, put_grad_;
  WideEntry<FinishArgs> finish_;
  WideEntry<SumArgs> sum_;
};

/// With what follows the convolution in it or, where no engine does that, without.
void plan_forward(const ConvProblem& problem, ConvPlanSpec spec, const Target& target,
                  Plans& plans) {
  std::string why;
  spec.biased = problem.biased;
  spec.adds = problem.adds;
  spec.relu = is_relu(problem.bounds);
  if (spec.relu && problem.bounds.high == problem.bounds.high) spec.most = problem.bounds.high;
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
