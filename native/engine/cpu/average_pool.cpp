// average_pool: the divisor counts the taps inside the input, or inside the padded input.
#include "engine/cpu/kernels.h"
#include "engine/cpu/lanes.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/pool_window.h"

namespace hpmp::cpu {

namespace {

template <class T>
class AveragePool : public Kernel {
 public:
  explicit AveragePool(const KernelSpec& spec)
      : dilations_(node_of(spec).attrs.dilations),
        include_pad_(node_of(spec).attrs.count_include_pad),
        rows_(pool_windows(node_of(spec).attrs, 0, spec.input_shapes[0].h, spec.output_shape.h)),
        columns_(
            pool_windows(node_of(spec).attrs, 1, spec.input_shapes[0].w, spec.output_shape.w)) {}

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    ensure(x.block == y.block && x.c == y.c, "a pool keeps the channels and their layout");
    for_chunks(y, [&](std::int64_t i, Chunk chunk) {
      const T* from = x.data + x.at(i, chunk.channel, 0);
      T* to = y.data + y.at(i, chunk.channel, 0);
      pool_plane(from, x, to, chunk.width);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    for_chunks(dy, [&](std::int64_t i, Chunk chunk) {
      const T* from = dy.data + dy.at(i, chunk.channel, 0);
      T* to = dx.data + dx.at(i, chunk.channel, 0);
      with_width(chunk.width, [&](auto width) {
        if (!args.accumulate[0]) clear_pixels(to, dx.pixels(), dx.block, width);
        spread_plane(from, dx, to, width);
      });
    });
  }

 private:
  float share(const PoolWindow& row, const PoolWindow& column) const {
    const std::int64_t count =
        include_pad_ ? row.padded_taps * column.padded_taps : row.taps * column.taps;
    return count > 0 ? 1 / static_cast<float>(count) : 0;
  }

  template <class Body>
  void for_taps(const TensorRef& in, const PoolWindow& row, const PoolWindow& column,
                const Body& body) const {
    for (std::int64_t r = 0; r < row.taps; ++r) {
      for (std::int64_t s = 0; s < column.taps; ++s) {
        body(((row.begin + r * dilations_[0]) * in.w + column.begin + s * dilations_[1]) *
             in.block);
      }
    }
  }

  void pool_plane(const T* x, const TensorRef& in, T* y, int width) const {
    for (const PoolWindow& row : rows_) {
      for (const PoolWindow& column : columns_) {
        for_lanes(width, [&](auto sum, int lane) {
          for_taps(in, row, column,
                   [&](std::int64_t at) { sum += load_lanes<decltype(sum)>(x + at + lane); });
          store_lanes(y + lane, sum * share(row, column));
        });
        y += in.block;
      }
    }
  }

  template <class Width>
  void spread_plane(const T* dy, const TensorRef& in, T* dx, Width width) const {
    for (const PoolWindow& row : rows_) {
      for (const PoolWindow& column : columns_) {
        float part[kLanes];
        const float factor = share(row, column);
        for (int j = 0; j < width; ++j) part[j] = dy[j] * factor;
        for_taps(in, row, column, [&](std::int64_t at) {
#pragma omp simd
          for (int j = 0; j < width; ++j) put(dx[at + j], part[j], std::true_type{});
        });
        dy += in.block;
      }
    }
  }

  std::array<std::int64_t, 2> dilations_;
  bool include_pad_;
  std::vector<PoolWindow> rows_, columns_;
};

}  // namespace

KernelPtr make_average_pool(const KernelSpec& spec) { return make_stored<AveragePool>(spec, spec); }

}  // namespace hpmp::cpu
