// batch_norm, with the add and the bounds that its link fuses behind it: statistics per group of
// consecutive samples, which may go on in other tasks; running statistics as additive parts.
#include <algorithm>

#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels/norm.h"
#include "engine/cuda/norm_tail.h"

namespace hpmp::cuda {
namespace {

static_assert(sizeof(ChannelSums) == sizeof(SumPair), "sums go to other tasks as they are");

class BatchNorm : public Kernel {
 public:
  BatchNorm(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        tail_(spec),
        epsilon_(node_of(spec).attrs.epsilon),
        momentum_(node_of(spec).attrs.momentum),
        sharing_(spec.bn_group > 0 ? spec.bn_group : spec.samples),
        group_(std::min(sharing_, spec.samples)),
        pixels_(spec.output_shape.h * spec.output_shape.w),
        c_(static_cast<int>(spec.output_shape.c)),
        sums_(target, spec.samples / group_, group_ * pixels_, c_),
        moments_(*stream_.device(), "norm_moments"),
        running_(*stream_.device(), "norm_running"),
        slopes_(*stream_.device(), "norm_slopes"),
        forward_(*stream_.device(), "norm_forward", target.storage),
        norm_sums_(*stream_.device(), "norm_sums", target.storage),
        backward_(*stream_.device(), "norm_backward", target.storage) {}

  /// The sums, running statistics as means, and the slopes.
  std::size_t scratch_bytes() const override { return sums_.scratch_bytes() + 2 * row_bytes(); }

  void forward(const ForwardArgs& args) override {
    for (const TensorRef& input : args.inputs) ensure_nhwc(input);
    ensure_sums(args.own_sums, args.all_sums, args.step.training);
    if (!args.step.training) return normalise(args, running_means(args.params, args.scratch));
    ensure(args.saved, "training batch_norm has room for its saved statistics");
    const SumPair* sums = args.all_sums
                              ? pairs(args.all_sums)
                              : sums_.run(kMoments, args.inputs[0].data, nullptr, args.scratch);
    if (args.own_sums)
      return stream_.copy(args.own_sums, sums, static_cast<std::size_t>(c_) * sizeof(SumPair));
    auto* means = reinterpret_cast<float*>(args.saved);
    moments_.run(
        stream_, c_,
        {0, c_, segments(), count(), epsilon_, args.step.statistics_weight * (1 - momentum_), sums,
         means, args.params[2], args.params[3]});
    normalise(args, means);
  }

  void backward(const BackwardArgs& args) override {
    ensure_nhwc(args.inputs[0]);
    ensure_sums(args.own_sums, args.all_sums, args.step.training);
    const float* means = args.step.training ? reinterpret_cast<const float*>(args.saved)
                                            : running_means(args.params, args.scratch);
    const TailGradient to(tail_, args);
    const SumPair* sums = args.all_sums ? pairs(args.all_sums) : sum_gradient(args, means, to);
    const float* slopes = find_slopes(args, means, sums);
    if (args.own_sums || !args.grad_inputs[0].data) return;
    input_gradient(args, means, slopes, to.kept ? to.kept : args.grad_output.data);
  }

 private:
  static const SumPair* pairs(const ChannelSums* sums) {
    return reinterpret_cast<const SumPair*>(sums);
  }
  int segments() const { return static_cast<int>(sums_.segments()); }
  int segment_rows() const { return static_cast<int>(sums_.rows()); }
  /// Of kernels whose items are several rows.
  std::int64_t item_elems() const { return sums_.segments() * norm_groups(segment_rows()) * c_; }
  double count() const { return static_cast<double>(sharing_ * pixels_); }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(sums_.segments() * 2 * c_) * sizeof(float);
  }
  float* means_in(std::byte* scratch) const {
    return reinterpret_cast<float*>(scratch + sums_.scratch_bytes());
  }
  float* slopes_in(std::byte* scratch) const {
    return reinterpret_cast<float*>(scratch + sums_.scratch_bytes() + row_bytes());
  }

  void ensure_sums(const ChannelSums* own, const ChannelSums* all, bool training) const {
    ensure(!training || (sharing_ > group_) == (own || all),
           "batch_norm sums its samples, or is given the sums");
    ensure(!(own || all) || !(tail_.adds || tail_.bounded),
           "a batch_norm that exchanges its sums stands alone");
  }

  const float* running_means(const std::vector<float*>& params, std::byte* scratch) const {
    float* means = means_in(scratch);
    running_.run(stream_, sums_.segments() * c_, {0, c_, epsilon_, params[2], params[3], means});
    return means;
  }

  void normalise(const ForwardArgs& args, const float* means) const {
    const TensorRef &x = args.inputs[0], &y = args.output;
    const void* other = tail_.adds ? args.inputs[1].data : nullptr;
    forward_.run(stream_, item_elems(), c_,
                 {x.data, other, y.data, means, args.params[0], args.params[1]},
                 {0, c_, segment_rows(), tail_.bounds.low, tail_.bounds.high, x.data, other, means,
                  args.params[0], args.params[1], y.data});
  }

  const SumPair* sum_gradient(const BackwardArgs& args, const float* means,
                              const TailGradient& to) const {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output;
    const void* y = tail_.adds && tail_.bounded ? args.output.data : nullptr;
    NormSumsArgs a{};
    a.c = c_;
    a.rows = segment_rows();
    a.chunks = sums_.chunks();
    a.low = tail_.bounds.low;
    a.high = tail_.bounds.high;
    a.x = x.data;
    a.dy = dy.data;
    a.y = y;
    a.means = means;
    a.scale = args.params[0];
    a.shift = args.params[1];
    a.kept = to.kept;
    a.added = to.added;
    a.partials = reinterpret_cast<SumPair*>(args.scratch);
    norm_sums_.run(stream_, sums_.all_chunks(),
                   {x.data, dy.data, y, to.kept, to.added, means, a.scale, a.shift}, a);
    return sums_.merge(args.scratch);
  }

  /// And the gradients of the parameters. Null where statistics are constants.
  const float* find_slopes(const BackwardArgs& args, const float* means,
                           const SumPair* sums) const {
    float* slopes = args.own_sums || !args.step.training ? nullptr : slopes_in(args.scratch);
    float* scale_grad = args.all_sums ? nullptr : args.param_grads[0];
    float* shift_grad = args.all_sums ? nullptr : args.param_grads[1];
    slopes_.run(stream_, c_,
                {0, c_, segments(), args.all_sums != nullptr, count(), sums, means, slopes,
                 scale_grad, shift_grad, reinterpret_cast<SumPair*>(args.own_sums)});
    return slopes;
  }

  void input_gradient(const BackwardArgs& args, const float* means, const float* slopes,
                      const void* dy) const {
    const TensorRef &x = args.inputs[0], &dx = args.grad_inputs[0];
    backward_.run(stream_, item_elems(), c_,
                  {x.data, dy, dx.data, means, args.params[0], args.params[1], slopes},
                  {0, c_, segment_rows(), !tail_.adds, tail_.bounds.low, tail_.bounds.high, x.data,
                   dy, means, args.params[0], args.params[1], slopes, dx.data, args.accumulate[0]});
  }

  Stream& stream_;
  NormTail tail_;
  double epsilon_, momentum_;
  std::int64_t sharing_;  // samples that share statistics
  std::int64_t group_;    // those of them that are here
  std::int64_t pixels_;
  int c_;
  ColumnSums sums_;
  PlainEntry<MomentsArgs> moments_;
  PlainEntry<RunningArgs> running_;
  PlainEntry<SlopesArgs> slopes_;
  WideEntry<NormalizeArgs> forward_;
  SumEntry<NormSumsArgs> norm_sums_;
  WideEntry<NormGradArgs> backward_;
};

}  // namespace

KernelPtr make_batch_norm(const KernelSpec& spec, const Target& target) {
  return std::make_unique<BatchNorm>(spec, target);
}

}  // namespace hpmp::cuda
