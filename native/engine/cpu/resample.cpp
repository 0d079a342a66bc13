// resample: two sparse products, along rows and along columns; backward their transposes.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/resample_taps.h"

namespace hpmp::cpu {

namespace {

/// One row of a chunk of channels between the two products, always in fp32.
using Line = float*;

/// f(input position, weight) for the taps of output o.
template <class F>
void for_taps(const Taps& taps, std::int64_t o, const F& f) {
  const auto end = static_cast<std::size_t>(taps.begin[static_cast<std::size_t>(o) + 1]);
  for (auto k = static_cast<std::size_t>(taps.begin[static_cast<std::size_t>(o)]); k < end; ++k)
    f(taps.at[k], taps.weight[k]);
}

template <class T>
class Resample : public Kernel {
 public:
  explicit Resample(const KernelSpec& spec)
      : rows_(resample_taps(node_of(spec).attrs, 0, spec.input_shapes[0].h)),
        columns_(resample_taps(node_of(spec).attrs, 1, spec.input_shapes[0].w)),
        input_(spec.input_shapes[0]),
        fill_(static_cast<float>(node_of(spec).attrs.border_value)) {}

  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(thread_count() * line_elems()) * sizeof(float);
  }

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    ensure(x.block == y.block && x.c == y.c, "a resampling keeps the channels and their layout");
    for_chunks(y, [&](std::int64_t i, Chunk chunk) {
      const T* from = x.data + x.at(i, chunk.channel, 0);
      T* to = y.data + y.at(i, chunk.channel, 0);
      with_width(chunk.width, [&](auto width) {
        for (std::int64_t h = 0; h < y.h; ++h, to += y.w * y.block)
          forward_row(from, x, h, line(args.scratch), to, y, width);
      });
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
        for (std::int64_t h = 0; h < dy.h; ++h, from += dy.w * dy.block)
          backward_row(from, dy, h, line(args.scratch), to, dx, width);
      });
    });
  }

 private:
  std::int64_t line_elems() const { return input_.w * kLanes; }
  Line line(std::byte* scratch) const {
    return reinterpret_cast<float*>(scratch) + omp_get_thread_num() * line_elems();
  }

  /// to[pixel] += from[pixel] * weight over a row.
  template <class From, class To, class Width>
  static void add_row(const From* from, std::int64_t from_stride, To* to, std::int64_t to_stride,
                      std::int64_t pixels, float weight, Width width) {
    for (std::int64_t p = 0; p < pixels; ++p, from += from_stride, to += to_stride) {
#pragma omp simd
      for (int j = 0; j < width; ++j) put(to[j], from[j] * weight, std::true_type{});
    }
  }

  template <class Width>
  void forward_row(const T* x, const TensorRef& in, std::int64_t h, Line mixed, T* y,
                   const TensorRef& out, Width width) const {
    clear_pixels(mixed, in.w, width, width);
    for_taps(rows_, h, [&](std::int64_t at, float weight) {
      add_row(x + at * in.w * in.block, in.block, mixed, width, in.w, weight, width);
    });
    for (std::int64_t w = 0; w < out.w; ++w, y += out.block) {
      const bool outside = rows_.is_outside(h) || columns_.is_outside(w);
      float sum[kLanes];
      std::fill_n(sum, int{width}, outside ? fill_ : 0.F);
      if (!outside) {
        for_taps(columns_, w, [&](std::int64_t at, float weight) {
          add_row(mixed + at * width, width, sum, width, 1, weight, width);
        });
      }
      for (int j = 0; j < width; ++j) y[j] = T(sum[j]);
    }
  }

  template <class Width>
  void backward_row(const T* dy, const TensorRef& out, std::int64_t h, Line mixed, T* dx,
                    const TensorRef& in, Width width) const {
    clear_pixels(mixed, in.w, width, width);
    for (std::int64_t w = 0; w < out.w; ++w, dy += out.block) {
      for_taps(columns_, w, [&](std::int64_t at, float weight) {
        add_row(dy, out.block, mixed + at * width, width, 1, weight, width);
      });
    }
    for_taps(rows_, h, [&](std::int64_t at, float weight) {
      add_row(mixed, width, dx + at * in.w * in.block, in.block, in.w, weight, width);
    });
  }

  Taps rows_, columns_;
  Shape input_;
  float fill_;
};

}  // namespace

KernelPtr make_resample(const KernelSpec& spec) { return make_stored<Resample>(spec, spec); }

}  // namespace hpmp::cpu
