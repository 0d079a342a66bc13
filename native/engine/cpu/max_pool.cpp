// max_pool, with the relu or clip that its link fuses before it: the bounds hold the winners, which
// is the same. Remembers each winner's pixel in training, -1 where no gradient passes; padding
// never wins, NaN always does.
#include <limits>

#include "engine/cpu/kernels.h"
#include "engine/cpu/lanes.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/pool_window.h"

namespace hpmp::cpu {

namespace {

const Node& pool_of(const KernelSpec& spec) {
  return spec.fused.empty() ? node_of(spec) : spec.graph->node(spec.fused.back());
}

/// Whether the windows, each a run of neighbours, cover [0, size) once.
bool are_tiles(const std::vector<PoolWindow>& windows, std::int64_t size) {
  std::int64_t next = 0;
  for (const PoolWindow& w : windows) {
    if (w.begin != next) return false;
    next += w.taps;
  }
  return next == size;
}

template <class T>
class MaxPool : public Kernel {
 public:
  explicit MaxPool(const KernelSpec& spec)
      : bounds_(bounds_of(spec, spec.fused.empty() ? NodeId() : spec.node)),
        dilations_(pool_of(spec).attrs.dilations),
        rows_(pool_windows(pool_of(spec).attrs, 0, spec.input_shapes[0].h, spec.output_shape.h)),
        columns_(pool_windows(pool_of(spec).attrs, 1, spec.input_shapes[0].w, spec.output_shape.w)),
        tiles_(dilations_ == std::array<std::int64_t, 2>{1, 1} &&
               are_tiles(rows_, spec.input_shapes[0].h) &&
               are_tiles(columns_, spec.input_shapes[0].w)) {}

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    ensure(x.block == y.block && x.c == y.c, "a pool keeps the channels and their layout");
    std::int32_t* winners = reinterpret_cast<std::int32_t*>(args.saved);
    for_chunks(y, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = y.at(i, chunk.channel, 0);
      pool_plane(x.data + x.at(i, chunk.channel, 0), x, y.data + at,
                 winners ? winners + at : nullptr, chunk.width);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    ensure(args.saved, "max_pool has the winners of its forward pass");
    const std::int32_t* winners = reinterpret_cast<const std::int32_t*>(args.saved);
    for_chunks(dy, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = dy.at(i, chunk.channel, 0);
      T* to = dx.data + dx.at(i, chunk.channel, 0);
      const bool overwrites = tiles_ && !args.accumulate[0];
      if (!tiles_ && !args.accumulate[0]) clear_pixels(to, dx.pixels(), dx.block, chunk.width);
      with_flag(!overwrites, [&](auto add) {
        spread_plane(dy.data + at, winners + at, dx, to, chunk.width, add);
      });
    });
  }

 private:
  void pool_plane(const T* x, const TensorRef& in, T* y, std::int32_t* winners, int width) const {
    for (const PoolWindow& row : rows_) {
      for (const PoolWindow& column : columns_) {
        for_lanes(width, [&](auto zero, int lane) {
          pool_pixel<decltype(zero)>(x + lane, in, row, column, y + lane,
                                     winners ? winners + lane : nullptr);
        });
        y += in.block;
        if (winners) winners += in.block;
      }
    }
  }

  template <class Float>
  void pool_pixel(const T* x, const TensorRef& in, const PoolWindow& row, const PoolWindow& column,
                  T* y, std::int32_t* winners) const {
    using Index = typename IndexOf<Float>::type;
    const bool empty = row.taps == 0 || column.taps == 0;
    Float best = Float{} - std::numeric_limits<float>::infinity();
    Index winner =
        Index{} + (empty ? -1 : static_cast<std::int32_t>(row.begin * in.w + column.begin));
    const std::int64_t step = dilations_[1] * in.block;
    for (std::int64_t r = 0; r < row.taps; ++r) {
      const std::int64_t first = (row.begin + r * dilations_[0]) * in.w + column.begin;
      const T* from = x + first * in.block;
      Index pixel = Index{} + static_cast<std::int32_t>(first);
      for (std::int64_t s = 0; s < column.taps; ++s, from += step) {
        const Float value = load_lanes<Float>(from);
        const auto wins = (value > best) | (value != value);
        best = wins ? value : best;
        winner = wins ? pixel : winner;
        pixel += static_cast<std::int32_t>(dilations_[1]);
      }
    }
    if (!empty) {
      winner = (best <= bounds_.low) | (best >= bounds_.high) ? Index{} - 1 : winner;
      best = best < bounds_.low ? Float{} + bounds_.low : best;
      best = best > bounds_.high ? Float{} + bounds_.high : best;
    }
    store_held_lanes(y, best);
    if (winners) store_lanes(winners, winner);
  }

  template <class Accumulate>
  void spread_plane(const T* dy, const std::int32_t* winners, const TensorRef& in, T* dx, int width,
                    Accumulate add) const {
    for (const PoolWindow& row : rows_) {
      for (const PoolWindow& column : columns_) {
        for_lanes(width, [&](auto zero, int lane) {
          using Float = decltype(zero);
          using Index = typename IndexOf<Float>::type;
          spread_pixel(load_lanes<Float>(dy + lane), load_lanes<Index>(winners + lane), in, row,
                       column, dx + lane, add);
        });
        dy += in.block;
        winners += in.block;
      }
    }
  }

  /// The gradient of one output to every tap, though only the winner's is not zero: no branches.
  template <class Float, class Index, class Accumulate>
  void spread_pixel(const Float& dy, const Index& winner, const TensorRef& in,
                    const PoolWindow& row, const PoolWindow& column, T* dx, Accumulate) const {
    for (std::int64_t r = 0; r < row.taps; ++r) {
      std::int64_t pixel = (row.begin + r * dilations_[0]) * in.w + column.begin;
      for (std::int64_t s = 0; s < column.taps; ++s, pixel += dilations_[1]) {
        const Float part = winner == Index{} + static_cast<std::int32_t>(pixel) ? dy : Float{};
        T* to = dx + pixel * in.block;
        if constexpr (Accumulate::value)
          store_lanes(to, part + load_lanes<Float>(to));
        else
          store_held_lanes(to, part);
      }
    }
  }

  Bounds bounds_;
  std::array<std::int64_t, 2> dilations_;
  std::vector<PoolWindow> rows_, columns_;
  bool tiles_;  // every input pixel is in one window
};

}  // namespace

KernelPtr make_max_pool(const KernelSpec& spec) { return make_stored<MaxPool>(spec, spec); }

}  // namespace hpmp::cpu
