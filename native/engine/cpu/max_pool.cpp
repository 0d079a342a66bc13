// max_pool: remembers each winner's pixel in training; padding never wins, NaN always does.
#include <limits>

#include "engine/cpu/kernels.h"
#include "engine/cpu/lanes.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/pool_window.h"

namespace hpmp::cpu {

namespace {

class MaxPool : public Kernel {
 public:
  explicit MaxPool(const KernelSpec& spec)
      : dilations_(node_of(spec).attrs.dilations),
        rows_(pool_windows(node_of(spec).attrs, 0, spec.input_shapes[0].h, spec.output_shape.h)),
        columns_(
            pool_windows(node_of(spec).attrs, 1, spec.input_shapes[0].w, spec.output_shape.w)) {}

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure(x.block == y.block && x.c == y.c, "a pool keeps the channels and their layout");
    std::int32_t* winners = reinterpret_cast<std::int32_t*>(args.saved);
    for_chunks(y, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = y.at(i, chunk.channel, 0);
      pool_plane(x.data + x.at(i, chunk.channel, 0), x, y.data + at,
                 winners ? winners + at : nullptr, chunk.width);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    ensure(args.saved, "max_pool has the winners of its forward pass");
    const std::int32_t* winners = reinterpret_cast<const std::int32_t*>(args.saved);
    for_chunks(dy, [&](std::int64_t i, Chunk chunk) {
      const std::int64_t at = dy.at(i, chunk.channel, 0);
      float* to = dx.data + dx.at(i, chunk.channel, 0);
      with_width(chunk.width, [&](auto width) {
        if (!args.accumulate[0]) clear_plane(to, dx, width);
        scatter_plane(dy.data + at, winners + at, dy, to, width);
      });
    });
  }

 private:
  void pool_plane(const float* x, const TensorRef& in, float* y, std::int32_t* winners,
                  int width) const {
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
  void pool_pixel(const float* x, const TensorRef& in, const PoolWindow& row,
                  const PoolWindow& column, float* y, std::int32_t* winners) const {
    using Index = typename IndexOf<Float>::type;
    const bool empty = row.taps == 0 || column.taps == 0;
    Float best = Float{} - std::numeric_limits<float>::infinity();
    Index winner =
        Index{} + (empty ? -1 : static_cast<std::int32_t>(row.begin * in.w + column.begin));
    const std::int64_t step = dilations_[1] * in.block;
    for (std::int64_t r = 0; r < row.taps; ++r) {
      const std::int64_t first = (row.begin + r * dilations_[0]) * in.w + column.begin;
      const float* from = x + first * in.block;
      Index pixel = Index{} + static_cast<std::int32_t>(first);
      for (std::int64_t s = 0; s < column.taps; ++s, from += step) {
        const Float value = load_lanes<Float>(from);
        const auto wins = (value > best) | (value != value);
        best = wins ? value : best;
        winner = wins ? pixel : winner;
        pixel += static_cast<std::int32_t>(dilations_[1]);
      }
    }
    store_lanes(y, best);
    if (winners) store_lanes(winners, winner);
  }

  template <class Width>
  static void clear_plane(float* dx, const TensorRef& in, Width width) {
    for (std::int64_t p = 0; p < in.pixels(); ++p, dx += in.block) std::fill_n(dx, int{width}, 0.f);
  }

  template <class Width>
  static void scatter_plane(const float* dy, const std::int32_t* winners, const TensorRef& out,
                            float* dx, Width width) {
    for (std::int64_t p = 0; p < out.pixels(); ++p, dy += out.block, winners += out.block) {
      for (int j = 0; j < width; ++j) {
        if (winners[j] >= 0) dx[winners[j] * out.block + j] += dy[j];
      }
    }
  }

  std::array<std::int64_t, 2> dilations_;
  std::vector<PoolWindow> rows_, columns_;
};

}  // namespace

KernelPtr make_max_pool(const KernelSpec& spec) { return std::make_unique<MaxPool>(spec); }

}  // namespace hpmp::cpu
