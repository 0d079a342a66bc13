// batch_norm, with the add and the bounds that its link fuses behind it: statistics per group of
// consecutive samples, which may go on in other tasks; running statistics as additive parts.
#include <cmath>

#include "engine/cpu/isa.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/norm/code.h"

namespace hpmp::cpu {

namespace {

using norm::Channels;

/// What follows the batch_norm in its link.
struct Tail {
  bool adds = false, bounded = false;
  Bounds bounds;

  explicit Tail(const KernelSpec& spec) : bounds(bounds_of(spec, NodeId())) {
    for (NodeId n : spec.fused) {
      const bool is_add = spec.graph->node(n).op == OpKind::add;
      (is_add ? adds : bounded) = true;
      if (!is_add) bounds = bounds_of(spec, n);
    }
  }
};

/// Of one pass over a link's gradient: where the tail's part of it goes.
template <class T>
struct TailGradient {
  T* kept = nullptr;   // set to what the bounds let pass
  T* added = nullptr;  // the same is added there
};

template <class T>
const norm::Code<T>& code_here() {
  if constexpr (kStoredAs<T> == DType::bf16)
    return has_avx512_bf16() ? norm::avx512_bf16_code() : norm::baseline_bf16_code();
  else
    return has_avx512() ? norm::avx512_code() : norm::baseline_code();
}

template <class T>
class BatchNorm : public Kernel {
 public:
  explicit BatchNorm(const KernelSpec& spec)
      : code_(code_here<T>()),
        tail_(spec),
        epsilon_(node_of(spec).attrs.epsilon),
        momentum_(node_of(spec).attrs.momentum),
        sharing_(spec.bn_group > 0 ? spec.bn_group : spec.samples),
        group_(std::min(sharing_, spec.samples)),
        channels_(spec.output_shape.c),
        scratch_bytes_(static_cast<std::size_t>(spec.samples * channels_) * sizeof(ChannelSums)) {}

  std::size_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const ForwardArgs& args) override {
    for (const TensorRef& input : args.inputs) ensure_same_layout(input, args.output);
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
    ensure(!(own || all) || !(tail_.adds || tail_.bounded),
           "a batch_norm that exchanges its sums stands alone");
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

  /// sum(view, offset of the sample, two rows of doubles) for every sample; added in their order,
  /// into the slot of the group's first.
  template <class Sum>
  void group_sums(const TensorRef& t, std::int64_t first, Chunk chunk, bool parallel,
                  std::byte* scratch, const Sum& sum) const {
    parallel_for(group_, parallel, [&](std::int64_t i) {
      double sums[kLanes], products[kLanes];
      sum(view(t, chunk), t.at(first + i, chunk.channel, 0), sums, products);
      ChannelSums* slot = slots(scratch, first + i, chunk);
      for (int j = 0; j < chunk.width; ++j) slot[j] = {sums[j], products[j]};
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

  void copy_sums(const std::byte* scratch, ChannelSums* to) const {
    std::copy_n(reinterpret_cast<const ChannelSums*>(scratch), channels_, to);
  }

  ChannelSums* slots(std::byte* scratch, std::int64_t sample, Chunk chunk) const {
    return reinterpret_cast<ChannelSums*>(scratch) + sample * channels_ + chunk.channel;
  }

  static ChunkView view(const TensorRef& t, Chunk chunk) {
    return {t.pixels(), t.block, chunk.width};
  }

  float* saved_mean(std::byte* saved, std::int64_t first) const {
    return reinterpret_cast<float*>(saved) + first / group_ * 2 * channels_;
  }

  void train_chunk(const ForwardArgs& args, std::int64_t first, Chunk chunk, bool parallel) const {
    const TensorOf<T> x(args.inputs[0]);
    ChannelSums* statistics = slots(args.scratch, first, chunk);
    if (args.all_sums) {
      std::copy_n(args.all_sums + chunk.channel, chunk.width, statistics);
    } else {
      group_sums(
          x, first, chunk, parallel, args.scratch,
          [&](auto view, auto at, auto* s, auto* q) { code_.moments(view, x.data + at, s, q); });
    }
    if (args.own_sums) return;
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
    const Channels channels = channels_of(args.params, mean, invstd, chunk);
    parallel_for(group_, parallel,
                 [&](std::int64_t i) { normalise(args, first + i, chunk, channels); });
  }

  Channels channels_of(const std::vector<float*>& params, const float* mean, const float* invstd,
                       Chunk chunk) const {
    Channels channels{};
    for (int j = 0; j < chunk.width; ++j) {
      channels.mean[j] = mean[j];
      channels.invstd[j] = invstd[j];
      channels.factor[j] = params[0][chunk.channel + j] * invstd[j];
      channels.offset[j] = params[1][chunk.channel + j];
    }
    return channels;
  }

  Channels running_channels(const std::vector<float*>& params, Chunk chunk) const {
    float invstd[kLanes] = {};
    for (int j = 0; j < chunk.width; ++j) {
      invstd[j] = static_cast<float>(1 / std::sqrt(params[3][chunk.channel + j] + epsilon_));
    }
    return channels_of(params, params[2] + chunk.channel, invstd, chunk);
  }

  void normalise(const ForwardArgs& args, std::int64_t i, Chunk chunk,
                 const Channels& channels) const {
    const TensorOf<T> x(args.inputs[0]);
    const std::int64_t at = x.at(i, chunk.channel, 0);
    code_.normalise(view(x, chunk), channels, tail_.bounds, x.data + at,
                    tail_.adds ? TensorOf<T>(args.inputs[1]).data + at : nullptr,
                    TensorOf<T>(args.output).data + at);
  }

  void infer(const ForwardArgs& args) const {
    for_chunks(args.output, [&](std::int64_t i, Chunk chunk) {
      normalise(args, i, chunk, running_channels(args.params, chunk));
    });
  }

  void update_running(const ForwardArgs& args) const {
    const double weight = args.step.statistics_weight * (1 - momentum_);
    const ChannelSums* statistics = reinterpret_cast<const ChannelSums*>(args.scratch);
    for (std::int64_t c = 0; c < channels_; ++c) {
      const ChannelSums sum = over_groups(statistics + c, args.output.n);
      args.params[2][c] += static_cast<float>(weight * sum.first);
      args.params[3][c] += static_cast<float>(weight * sum.second);
    }
  }

  ChannelSums over_groups(const ChannelSums* sums, std::int64_t samples) const {
    ChannelSums total;
    for (std::int64_t i = 0; i < samples; i += group_) {
      total.first += sums[i * channels_].first;
      total.second += sums[i * channels_].second;
    }
    return total;
  }

  Channels backward_channels(const BackwardArgs& args, std::int64_t first, Chunk chunk) const {
    if (!args.step.training) return running_channels(args.params, chunk);
    const float* mean = saved_mean(args.saved, first) + chunk.channel;
    return channels_of(args.params, mean, mean + channels_, chunk);
  }

  /// Behind an add the bounds are looked up in the output, once: what passes is kept, as the
  /// other operand's gradient if that is not added to, else over the output's.
  TailGradient<T> tail_gradient(const BackwardArgs& args) const {
    if (!tail_.adds) return {};
    const TensorOf<T> other(args.grad_inputs[1]);
    if (other.data) ensure_same_layout(other, args.grad_output);
    TailGradient<T> to;
    if (other.data && args.accumulate[1])
      to.added = other.data;
    else if (other.data)
      to.kept = other.data;
    if (tail_.bounded && !to.kept) to.kept = TensorOf<T>(args.grad_output).data;
    return to;
  }

  void sum_gradient(const BackwardArgs& args, const TailGradient<T>& to, std::int64_t first,
                    Chunk chunk, bool parallel, const Channels& channels) const {
    const TensorOf<T> x(args.inputs[0]), dy(args.grad_output);
    const T* y = tail_.adds && tail_.bounded ? TensorOf<T>(args.output).data : nullptr;
    const auto from = [](auto* data, std::int64_t at) { return data ? data + at : nullptr; };
    group_sums(x, first, chunk, parallel, args.scratch, [&](auto view, auto at, auto* s, auto* q) {
      code_.gradient_sums(
          view, channels, tail_.bounds,
          {x.data + at, dy.data + at, from(y, at), from(to.kept, at), from(to.added, at), s, q});
    });
  }

  void backward_chunk(const BackwardArgs& args, std::int64_t first, Chunk chunk,
                      bool parallel) const {
    const TensorOf<T> x(args.inputs[0]), dx(args.grad_inputs[0]);
    const Channels channels = backward_channels(args, first, chunk);
    const TailGradient<T> to = tail_gradient(args);
    ChannelSums* sums = slots(args.scratch, first, chunk);
    if (args.all_sums)
      std::copy_n(args.all_sums + chunk.channel, chunk.width, sums);
    else
      sum_gradient(args, to, first, chunk, parallel, channels);
    float shift[kLanes] = {}, slope[kLanes] = {};
    const double count = static_cast<double>(sharing_ * x.pixels());
    for (int j = 0; j < chunk.width; ++j) {
      if (!args.all_sums) sums[j].second *= channels.invstd[j];
      if (!args.step.training) continue;
      shift[j] = static_cast<float>(sums[j].first / count);
      slope[j] = static_cast<float>(sums[j].second * channels.invstd[j] / count);
    }
    if (args.own_sums || !dx.data) return;
    const T* dy = to.kept ? to.kept : TensorOf<T>(args.grad_output).data;
    parallel_for(group_, parallel, [&](std::int64_t i) {
      const std::int64_t at = x.at(first + i, chunk.channel, 0);
      code_.input_gradient(
          view(x, chunk), channels, tail_.bounds,
          {x.data + at, dy + at, shift, slope, !tail_.adds, dx.data + at, args.accumulate[0]});
    });
  }

  void add_param_grads(const BackwardArgs& args) const {
    const ChannelSums* sums = reinterpret_cast<const ChannelSums*>(args.scratch);
    for (std::int64_t c = 0; c < channels_; ++c) {
      const ChannelSums sum = over_groups(sums + c, args.grad_output.n);
      if (args.param_grads[0]) args.param_grads[0][c] += static_cast<float>(sum.second);
      if (args.param_grads[1]) args.param_grads[1][c] += static_cast<float>(sum.first);
    }
  }

  const norm::Code<T>& code_;
  Tail tail_;
  double epsilon_, momentum_;
  std::int64_t sharing_;  // samples that share statistics
  std::int64_t group_;    // those of them that are here
  std::int64_t channels_;
  std::size_t scratch_bytes_;
};

}  // namespace

KernelPtr make_batch_norm(const KernelSpec& spec) { return make_stored<BatchNorm>(spec, spec); }

}  // namespace hpmp::cpu
