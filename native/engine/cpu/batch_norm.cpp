// batch_norm: statistics per group of consecutive samples, which may go on in other tasks; running
// statistics as additive parts.
#include <cmath>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/sums.h"

namespace hpmp::cpu {

namespace {

constexpr float kZeros[kLanes] = {};

/// What a pass knows of a chunk's channels: y = (x - mean) * factor + shift.
struct Lanes {
  float mean[kLanes], invstd[kLanes], factor[kLanes], offset[kLanes];
};

class BatchNorm : public Kernel {
 public:
  explicit BatchNorm(const KernelSpec& spec)
      : epsilon_(node_of(spec).attrs.epsilon),
        momentum_(node_of(spec).attrs.momentum),
        sharing_(spec.bn_group > 0 ? spec.bn_group : spec.samples),
        group_(std::min(sharing_, spec.samples)),
        channels_(spec.output_shape.c),
        scratch_bytes_(static_cast<std::size_t>(spec.samples * channels_) * sizeof(ChannelSums)) {}

  std::size_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const ForwardArgs& args) override {
    ensure_same_layout(args.inputs[0], args.output);
    if (!args.step.training) return infer(args);
    ensure(args.saved, "training batch_norm has room for its saved statistics");
    ensure_sums(args.own_sums, args.all_sums);
    for_group_chunks(args.output, [&](std::int64_t first, Chunk chunk, bool parallel) {
      train_chunk(args, first, chunk, parallel);
    });
    if (args.own_sums) return copy_sums(args.scratch, args.own_sums);
    update_running(args);
  }

  void backward(const BackwardArgs& args) override {
    ensure_same_layout(args.inputs[0], args.grad_output);
    ensure_sums(args.own_sums, args.all_sums);
    for_group_chunks(args.grad_output, [&](std::int64_t first, Chunk chunk, bool parallel) {
      backward_chunk(args, first, chunk, parallel);
    });
    if (!args.all_sums) add_param_grads(args);
    if (args.own_sums) copy_sums(args.scratch, args.own_sums);
  }

 private:
  void ensure_sums(const ChannelSums* own, const ChannelSums* all) const {
    ensure((sharing_ > group_) == (own || all),
           "batch_norm sums its samples, or is given the sums");
  }

  /// body(first sample of the group, chunk, may use threads): whole groups in parallel, so that a
  /// group's chunk is still in cache when it is read again; samples where there are too few.
  template <class Body>
  void for_group_chunks(const TensorRef& t, const Body& body) const {
    const Chunks chunks(t);
    const std::int64_t tasks = t.n / group_ * chunks.count();
    const bool outer = tasks >= thread_count();
    const bool large = t.elems() >= kMinParallelElems;
    parallel_for(tasks, outer && large, [&](std::int64_t k) {
      body(k / chunks.count() * group_, chunks[k % chunks.count()], !outer && large);
    });
  }

  /// Per-sample sums of a and of a * (b - center), added in the order of the samples, into the slot
  /// of the group's first sample.
  void group_sums(const TensorRef& a, const TensorRef& b, const float* center, std::int64_t first,
                  Chunk chunk, bool parallel, std::byte* scratch) const {
    parallel_for(group_, parallel, [&](std::int64_t i) {
      const std::int64_t at = a.at(first + i, chunk.channel, 0);
      double sum[kLanes], product[kLanes];
      channel_sums({a.pixels(), a.block, chunk.width}, a.data + at, b.data + at, center, sum,
                   product);
      ChannelSums* slot = slots(scratch, first + i, chunk);
      for (int j = 0; j < chunk.width; ++j) slot[j] = {sum[j], product[j]};
    });
    ChannelSums* total = slots(scratch, first, chunk);
    for (std::int64_t i = 1; i < group_; ++i) {
      const ChannelSums* slot = slots(scratch, first + i, chunk);
      for (int j = 0; j < chunk.width; ++j) {
        total[j].first += slot[j].first;
        total[j].second += slot[j].second;
      }
    }
  }

  /// What group_sums makes, or was given.
  void find_sums(const TensorRef& a, const TensorRef& b, const float* center, std::int64_t first,
                 Chunk chunk, bool parallel, std::byte* scratch, const ChannelSums* given) const {
    if (given)
      std::copy_n(given + chunk.channel, chunk.width, slots(scratch, first, chunk));
    else
      group_sums(a, b, center, first, chunk, parallel, scratch);
  }

  void copy_sums(const std::byte* scratch, ChannelSums* to) const {
    std::copy_n(reinterpret_cast<const ChannelSums*>(scratch), channels_, to);
  }

  ChannelSums* slots(std::byte* scratch, std::int64_t sample, Chunk chunk) const {
    return reinterpret_cast<ChannelSums*>(scratch) + sample * channels_ + chunk.channel;
  }

  float* saved_mean(std::byte* saved, std::int64_t first) const {
    return reinterpret_cast<float*>(saved) + first / group_ * 2 * channels_;
  }

  void train_chunk(const ForwardArgs& args, std::int64_t first, Chunk chunk, bool parallel) const {
    const TensorRef &x = args.inputs[0], &y = args.output;
    find_sums(x, x, kZeros, first, chunk, parallel, args.scratch, args.all_sums);
    if (args.own_sums) return;
    ChannelSums* statistics = slots(args.scratch, first, chunk);
    float* mean = saved_mean(args.saved, first) + chunk.channel;
    float* invstd = mean + channels_;
    const double count = static_cast<double>(sharing_ * x.pixels());
    for (int j = 0; j < chunk.width; ++j) {
      const double m = statistics[j].first / count;
      const double variance = statistics[j].second / count - m * m;
      statistics[j] = {m, variance < 0 ? 0 : variance};
      mean[j] = static_cast<float>(m);
      invstd[j] = static_cast<float>(1 / std::sqrt(statistics[j].second + epsilon_));
    }
    const Lanes lanes = lanes_of(args.params, mean, invstd, chunk);
    parallel_for(group_, parallel,
                 [&](std::int64_t i) { normalise(x, y, first + i, chunk, lanes); });
  }

  Lanes lanes_of(const std::vector<float*>& params, const float* mean, const float* invstd,
                 Chunk chunk) const {
    Lanes lanes{};
    for (int j = 0; j < chunk.width; ++j) {
      lanes.mean[j] = mean[j];
      lanes.invstd[j] = invstd[j];
      lanes.factor[j] = params[0][chunk.channel + j] * invstd[j];
      lanes.offset[j] = params[1][chunk.channel + j];
    }
    return lanes;
  }

  Lanes running_lanes(const std::vector<float*>& params, Chunk chunk) const {
    float invstd[kLanes] = {};
    for (int j = 0; j < chunk.width; ++j) {
      invstd[j] = static_cast<float>(1 / std::sqrt(params[3][chunk.channel + j] + epsilon_));
    }
    return lanes_of(params, params[2] + chunk.channel, invstd, chunk);
  }

  static void normalise(const TensorRef& x, const TensorRef& y, std::int64_t i, Chunk chunk,
                        const Lanes& lanes) {
    const std::int64_t at = x.at(i, chunk.channel, 0);
    scale_channels({x.pixels(), x.block, chunk.width}, x.data + at, lanes.mean, lanes.factor,
                   lanes.offset, y.data + at, false);
  }

  void infer(const ForwardArgs& args) const {
    for_chunks(args.output, [&](std::int64_t i, Chunk chunk) {
      normalise(args.inputs[0], args.output, i, chunk, running_lanes(args.params, chunk));
    });
  }

  void update_running(const ForwardArgs& args) const {
    const double weight = args.step.statistics_weight * (1 - momentum_);
    const ChannelSums* statistics = reinterpret_cast<const ChannelSums*>(args.scratch);
    for (std::int64_t c = 0; c < channels_; ++c) {
      ChannelSums sum;
      for (std::int64_t i = 0; i < args.output.n; i += group_) {
        sum.first += statistics[i * channels_ + c].first;
        sum.second += statistics[i * channels_ + c].second;
      }
      args.params[2][c] += static_cast<float>(weight * sum.first);
      args.params[3][c] += static_cast<float>(weight * sum.second);
    }
  }

  Lanes backward_lanes(const BackwardArgs& args, std::int64_t first, Chunk chunk) const {
    if (!args.step.training) return running_lanes(args.params, chunk);
    const float* mean = saved_mean(args.saved, first) + chunk.channel;
    return lanes_of(args.params, mean, mean + channels_, chunk);
  }

  void backward_chunk(const BackwardArgs& args, std::int64_t first, Chunk chunk,
                      bool parallel) const {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output, &dx = args.grad_inputs[0];
    const Lanes lanes = backward_lanes(args, first, chunk);
    find_sums(dy, x, lanes.mean, first, chunk, parallel, args.scratch, args.all_sums);
    ChannelSums* sums = slots(args.scratch, first, chunk);
    float shift[kLanes] = {}, slope[kLanes] = {};  // dx = factor * (dy - shift - slope (x - mean))
    const double count = static_cast<double>(sharing_ * x.pixels());
    for (int j = 0; j < chunk.width; ++j) {
      if (!args.all_sums) sums[j].second *= lanes.invstd[j];
      if (!args.step.training) continue;
      shift[j] = static_cast<float>(sums[j].first / count);
      slope[j] = static_cast<float>(sums[j].second * lanes.invstd[j] / count);
    }
    if (args.own_sums || !dx.data) return;
    parallel_for(group_, parallel, [&](std::int64_t i) {
      const std::int64_t at = x.at(first + i, chunk.channel, 0);
      input_gradient({x.pixels(), x.block, chunk.width}, x.data + at, dy.data + at, lanes, shift,
                     slope, dx.data + at, args.accumulate[0]);
    });
  }

  static void input_gradient(const ChunkView& view, const float* x, const float* dy,
                             const Lanes& lanes, const float* shift, const float* slope, float* dx,
                             bool accumulate) {
    with_width(view.width, [&](auto width) {
      with_flag(accumulate, [&](auto add) {
        for (std::int64_t p = 0; p < view.pixels; ++p) {
#pragma omp simd
          for (int j = 0; j < width; ++j) {
            const std::int64_t at = p * view.stride + j;
            const float centred = dy[at] - shift[j] - slope[j] * (x[at] - lanes.mean[j]);
            put(dx[at], lanes.factor[j] * centred, add);
          }
        }
      });
    });
  }

  void add_param_grads(const BackwardArgs& args) const {
    const ChannelSums* sums = reinterpret_cast<const ChannelSums*>(args.scratch);
    for (std::int64_t c = 0; c < channels_; ++c) {
      ChannelSums sum;
      for (std::int64_t i = 0; i < args.grad_output.n; i += group_) {
        sum.first += sums[i * channels_ + c].first;
        sum.second += sums[i * channels_ + c].second;
      }
      if (args.param_grads[0]) args.param_grads[0][c] += static_cast<float>(sum.second);
      if (args.param_grads[1]) args.param_grads[1][c] += static_cast<float>(sum.first);
    }
  }

  double epsilon_, momentum_;
  std::int64_t sharing_;  // samples that share statistics
  std::int64_t group_;    // those of them that are here
  std::int64_t channels_;
  std::size_t scratch_bytes_;
};

}  // namespace

KernelPtr make_batch_norm(const KernelSpec& spec) { return std::make_unique<BatchNorm>(spec); }

}  // namespace hpmp::cpu
