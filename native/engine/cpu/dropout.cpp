// dropout: the mask is a hash of (seed, step, node, sample, channel, pixel), or of the first four
// for stochastic depth, so it does not depend on how the work is split, and backward computes it
// again.
#include <vector>

#include "engine/cpu/elementwise.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/dropout_key.h"

namespace hpmp::cpu {

namespace {

/// A 32-bit mixer of low bias (Wellons 2018), in 32-bit arithmetic so that it vectorises.
inline std::uint32_t mix32(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

template <class T>
class Dropout : public Kernel {
 public:
  explicit Dropout(const KernelSpec& spec)
      : node_(spec.node),
        ratio_(node_of(spec).attrs.ratio),
        per_sample_(node_of(spec).attrs.per_sample) {
    for (Range range : spec.channels) {
      for (std::int64_t c = range.begin; c < range.end; ++c) channels_.push_back(c);
    }
  }

  void forward(const ForwardArgs& args) override {
    ensure_same_layout(args.inputs[0], args.output);
    apply(TensorOf<T>(args.inputs[0]), TensorOf<T>(args.output), args.step, false);
  }

  void backward(const BackwardArgs& args) override {
    if (!args.grad_inputs[0].data) return;
    ensure_same_layout(args.grad_output, args.grad_inputs[0]);
    apply(TensorOf<T>(args.grad_output), TensorOf<T>(args.grad_inputs[0]), args.step,
          args.accumulate[0]);
  }

 private:
  void apply(const TensorOf<T>& x, const TensorOf<T>& y, const StepInfo& step,
             bool accumulate) const {
    if (!step.training || ratio_ <= 0) return copy_elems(y, x, accumulate);
    for_chunks(x, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t sample = step.first_sample + i;
      const std::uint64_t key =
          mix64(dropout_key(step, node_) ^ static_cast<std::uint64_t>(sample));
      with_width(chunk.width, [&](auto width) {
        with_flag(accumulate, [&](auto add) { apply_chunk(x, y, i, chunk, key, width, add); });
      });
    });
  }

  template <class Width, class Accumulate>
  void apply_chunk(const TensorOf<T>& x, const TensorOf<T>& y, std::int64_t i, Chunk chunk,
                   std::uint64_t key, Width width, Accumulate add) const {
    const std::uint32_t low = static_cast<std::uint32_t>(key);
    const std::uint32_t high = static_cast<std::uint32_t>(key >> 32);
    const std::uint32_t limit = static_cast<std::uint32_t>(ratio_ * 4294967296.0);
    const float scale = static_cast<float>(1 / (1 - ratio_));
    std::uint32_t counter[kLanes];
    for (int j = 0; j < width; ++j) counter[j] = low + first_counter(x, chunk.channel + j);
    const std::uint32_t pixel_step = per_sample_ ? 0 : 1;
    const std::int64_t at = x.at(i, chunk.channel, 0);
    const T* from = x.data + at;
    T* to = y.data + at;
    for (std::int64_t p = 0; p < x.pixels(); ++p, from += x.block, to += y.block) {
#pragma omp simd
      for (int j = 0; j < width; ++j) {
        const std::uint32_t draw =
            mix32(mix32(counter[j] + static_cast<std::uint32_t>(p) * pixel_step) ^ high);
        const float kept = from[j] * scale;
        put(to[j], draw < limit ? 0.f : kept, add);
      }
    }
  }

  /// Of the packed channel's first pixel; a sample that is dropped whole has one.
  std::uint32_t first_counter(const TensorRef& x, std::int64_t packed) const {
    const std::int64_t channel = channels_[static_cast<std::size_t>(packed)];
    return per_sample_ ? 0 : static_cast<std::uint32_t>(channel * x.pixels());
  }

  NodeId node_;
  double ratio_;
  bool per_sample_;
  std::vector<std::int64_t> channels_;  // global number of each packed channel
};

}  // namespace

KernelPtr make_dropout(const KernelSpec& spec) { return make_stored<Dropout>(spec, spec); }

}  // namespace hpmp::cpu
