// loss of maps: every pixel scored, then sums over the pixels of a sample, in an order that depends
// on shapes alone.
#include "engine/cuda/kernels/map_loss.h"

#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/labels.h"

namespace hpmp::cuda {
namespace {

class MapLoss : public Kernel {
 public:
  MapLoss(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        weight_(node_of(spec).attrs.weight),
        samples_(spec.samples),
        pixels_(spec.input_shapes[0].h * spec.input_shapes[0].w),
        c_(static_cast<int>(spec.input_shapes[0].c)),
        sums_(target, samples_, pixels_, 2 * c_),
        scores_(*stream_.device(), "pixel_scores", target.storage),
        class_sums_(*stream_.device(), "class_sums"),
        totals_(*stream_.device(), "class_totals"),
        backward_(*stream_.device(), "map_loss_backward", target.storage) {}

  std::size_t scratch_bytes() const override {
    return sums_.scratch_bytes() + static_cast<std::size_t>(all_pixels()) * sizeof(PixelScore);
  }

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure_nhwc(x);
    ensure_nhwc(y);
    const long long* labels = labels_of(args.labels);
    auto* scores = reinterpret_cast<PixelScore*>(args.scratch + sums_.scratch_bytes());
    scores_.run(stream_, all_pixels(),
                {0, c_, args.step.label_smoothing, args.step.numbers, x.data, labels, scores});
    class_sums_.run(stream_, samples_ * sums_.chunks() * c_,
                    {0, c_, item_count(pixels_), sums_.chunks(), labels, scores,
                     reinterpret_cast<SumPair*>(args.scratch)});
    totals_.run(stream_, y.elems(),
                {0, c_, sums_.merge(args.scratch), static_cast<float*>(y.data)});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dx = args.grad_inputs[0];
    if (!dx.data) return;
    ensure_nhwc(x);
    backward_.run(stream_, all_pixels(),
                  {0, c_, weight_, args.step.label_smoothing, args.step.counted, args.step.numbers,
                   x.data, labels_of(args.labels), dx.data, args.accumulate[0]});
  }

 private:
  std::int64_t all_pixels() const { return samples_ * pixels_; }

  Stream& stream_;
  double weight_;
  std::int64_t samples_, pixels_;
  int c_;
  ColumnSums sums_;
  NarrowEntry<PixelScoresArgs> scores_;
  PlainEntry<ClassSumsArgs> class_sums_;
  PlainEntry<ClassTotalsArgs> totals_;
  NarrowEntry<LossGradArgs> backward_;
};

}  // namespace

KernelPtr make_map_loss(const KernelSpec& spec, const Target& target) {
  return std::make_unique<MapLoss>(spec, target);
}

}  // namespace hpmp::cuda
