// lrn: y = x * scale^-beta with scale = bias + alpha/size * (sum of x^2 over a window of channels).
// The input holds the output's channels and their halo; windows are clipped at the tensor's ends.
#include <cmath>
#include <vector>

#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

/// Output channels [output, output + size) lie at [input, input + size) of the packed input.
struct Run {
  std::int64_t output, input, size;
};

std::vector<Run> runs_of(const Ranges& outputs, const Ranges& inputs) {
  std::vector<Run> runs;
  std::int64_t packed = 0;
  for (Range r : outputs) {
    const std::int64_t input = packed_position(inputs, r.begin);
    ensure(input >= 0, "lrn reads its own channels");
    runs.push_back({packed, input, r.size()});
    packed += r.size();
  }
  return runs;
}

template <class T>
void gather_pixel(const TensorOf<T>& t, std::int64_t i, std::int64_t p, float* to) {
  for (std::int64_t c = 0; c < t.c; c += t.block) {
    std::copy_n(t.data + t.at(i, c, p), t.block, to + c);
  }
}

template <class T, class Accumulate>
void scatter_pixel(const TensorOf<T>& t, std::int64_t i, std::int64_t p, const float* from,
                   Accumulate add) {
  for (std::int64_t c = 0; c < t.c; c += t.block) {
    T* to = t.data + t.at(i, c, p);
    for (std::int64_t j = 0; j < t.block; ++j) put(to[j], from[c + j], add);
  }
}

/// power[c] = scale[c]^-beta; the usual beta without pow.
void negative_power(const float* scale, double beta, std::int64_t count, float* power) {
  if (beta == 0.75) {
#pragma omp simd
    for (std::int64_t c = 0; c < count; ++c) {
      const float root = std::sqrt(scale[c]);
      power[c] = 1 / (root * std::sqrt(root));
    }
    return;
  }
  for (std::int64_t c = 0; c < count; ++c) {
    power[c] = std::pow(scale[c], static_cast<float>(-beta));
  }
}

template <class T>
class Lrn : public Kernel {
 public:
  explicit Lrn(const KernelSpec& spec)
      : beta_(node_of(spec).attrs.beta),
        bias_(static_cast<float>(node_of(spec).attrs.bias)),
        factor_(static_cast<float>(node_of(spec).attrs.alpha /
                                   static_cast<double>(node_of(spec).attrs.size))),
        below_((node_of(spec).attrs.size - 1) / 2),
        above_(node_of(spec).attrs.size / 2),
        runs_(runs_of(spec.channels, spec.input_channels[0])),
        inputs_(total_size(spec.input_channels[0])),
        outputs_(total_size(spec.channels)),
        row_floats_(below_ + 2 * inputs_ + above_ + 3 * outputs_ + kLanes),
        threads_(thread_count()) {}

  /// One set of pixel rows per thread.
  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(threads_ * row_floats_) * sizeof(float);
  }

  void forward(const ForwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), y(args.output);
    const TensorOf<float> saved = saved_like(y, args.saved);
    for_pixels(y, args.scratch, [&](std::int64_t i, std::int64_t p, const Rows& rows) {
      gather_pixel(x, i, p, rows.x);
      for (std::int64_t c = 0; c < inputs_; ++c) rows.window[c] = rows.x[c] * rows.x[c];
      add_windows(rows);
      if (saved.data) scatter_pixel(saved, i, p, rows.scale, std::false_type{});
      negative_power(rows.scale, beta_, outputs_, rows.power);
      for (const Run& run : runs_) {
        for (std::int64_t c = 0; c < run.size; ++c) {
          rows.power[run.output + c] *= rows.x[run.input + c];
        }
      }
      scatter_pixel(y, i, p, rows.power, std::false_type{});
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> x(args.inputs[0]), dy(args.grad_output), dx(args.grad_inputs[0]);
    if (!dx.data) return;
    ensure(args.saved, "lrn has the scale of its forward pass");
    const TensorOf<float> saved = saved_like(dy, args.saved);
    with_flag(args.accumulate[0], [&](auto add) {
      for_pixels(dy, args.scratch, [&](std::int64_t i, std::int64_t p, const Rows& rows) {
        gather_pixel(x, i, p, rows.x);
        gather_pixel(saved, i, p, rows.scale);
        gather_pixel(dy, i, p, rows.grad);
        negative_power(rows.scale, beta_, outputs_, rows.power);
        input_gradient(rows);
        scatter_pixel(dx, i, p, rows.x, add);
      });
    });
  }

 private:
  static TensorOf<float> saved_like(TensorRef t, std::byte* saved) {
    t.data = saved;
    t.dtype = DType::fp32;
    return TensorOf<float>(t);
  }

  struct Rows {
    float *padded, *window;  // window [inputs], with room for `below_` before and `above_` after
    float* x;                // [inputs]
    float *scale, *power, *grad;  // [outputs]
  };

  Rows rows_at(std::byte* scratch, std::int64_t thread) const {
    float* row = reinterpret_cast<float*>(scratch) + thread * row_floats_;
    float* x = row + below_ + inputs_ + above_;
    float* scale = x + inputs_;
    return {row, row + below_, x, scale, scale + outputs_, scale + 2 * outputs_};
  }

  template <class Body>
  void for_pixels(const TensorRef& t, std::byte* scratch, const Body& body) const {
    ensure(thread_count() <= threads_, "no more threads run than the kernel was prepared for");
    parallel_for(t.n * t.h, t.elems() >= kMinParallelElems, [&](std::int64_t k) {
      const Rows rows = rows_at(scratch, omp_get_thread_num());
      std::fill(rows.padded, rows.x, 0.f);
      for (std::int64_t w = 0; w < t.w; ++w) body(k / t.h, k % t.h * t.w + w, rows);
    });
  }

  /// scale from the squares in the window, whose padding is zero.
  void add_windows(const Rows& rows) const {
    for (const Run& run : runs_) {
      float* scale = rows.scale + run.output;
      std::fill_n(scale, run.size, 0.f);
      for (std::int64_t k = -below_; k <= above_; ++k) {
        const float* squares = rows.window + run.input + k;
#pragma omp simd
        for (std::int64_t c = 0; c < run.size; ++c) scale[c] += squares[c];
      }
    }
    for (std::int64_t c = 0; c < outputs_; ++c) rows.scale[c] = bias_ + factor_ * rows.scale[c];
  }

  /// Turns x into its gradient, for all the inputs: dx[j] = dy[j] scale[j]^-beta
  ///     - 2 beta alpha/size x[j] (sum of dy x scale^(-beta-1) over the outputs whose window has
  ///     j).
  void input_gradient(const Rows& rows) const {
    for (const Run& run : runs_) {
      for (std::int64_t c = 0; c < run.size; ++c) {
        const std::int64_t o = run.output + c;
        rows.power[o] *= rows.grad[o];
        rows.scale[o] = rows.power[o] * rows.x[run.input + c] / rows.scale[o];
      }
    }
    std::fill(rows.padded, rows.x, 0.f);
    for (const Run& run : runs_) {
      for (std::int64_t k = -below_; k <= above_; ++k) {
        float* sums = rows.window + run.input + k;
#pragma omp simd
        for (std::int64_t c = 0; c < run.size; ++c) sums[c] += rows.scale[run.output + c];
      }
    }
    const float slope = -2 * static_cast<float>(beta_) * factor_;
    for (std::int64_t c = 0; c < inputs_; ++c) rows.x[c] *= slope * rows.window[c];
    for (const Run& run : runs_) {
      for (std::int64_t c = 0; c < run.size; ++c) {
        rows.x[run.input + c] += rows.power[run.output + c];
      }
    }
  }

  double beta_;
  float bias_, factor_;
  std::int64_t below_, above_;  // channels of a window before and after its own
  std::vector<Run> runs_;
  std::int64_t inputs_, outputs_, row_floats_, threads_;
};

}  // namespace

KernelPtr make_lrn(const KernelSpec& spec) { return make_stored<Lrn>(spec, spec); }

}  // namespace hpmp::cpu
