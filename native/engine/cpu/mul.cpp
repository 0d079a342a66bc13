// mul: the product of two; an operand of one pixel scales the channels of the other.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/sums.h"

namespace hpmp::cpu {

namespace {

constexpr float kZeros[kLanes] = {};

/// The channels of a one-pixel operand, whatever its block.
template <class T>
void read_gate(const TensorOf<T>& gate, std::int64_t i, Chunk chunk, float* out) {
  for (int j = 0; j < chunk.width; ++j) out[j] = gate.data[gate.at(i, chunk.channel + j, 0)];
}

/// to (=|+=) from * gate.
template <class T>
void scale(const TensorOf<T>& from, const TensorOf<T>& gate, const TensorOf<T>& to,
           bool accumulate) {
  ensure_same_layout(from, to);
  for_chunks(from, [&](std::int64_t i, Chunk chunk) {
    float factor[kLanes];
    read_gate(gate, i, chunk, factor);
    const std::int64_t at = from.at(i, chunk.channel, 0);
    scale_channels({from.pixels(), from.block, chunk.width}, from.data + at, kZeros, factor, kZeros,
                   to.data + at, accumulate);
  });
}

/// to (=|+=) a * b.
template <class T>
void multiply(const TensorOf<T>& a, const TensorOf<T>& b, const TensorOf<T>& to, bool accumulate) {
  ensure_same_layout(a, b);
  ensure_same_layout(a, to);
  with_flag(accumulate, [&](auto add) {
    for_elems(to.elems(), [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t k = begin; k < end; ++k) put(to.data[k], a.data[k] * b.data[k], add);
    });
  });
}

/// grad (=|+=) the sums of x * dy over the pixels.
template <class T>
void add_gate_grad(const TensorOf<T>& x, const TensorOf<T>& dy, const TensorOf<T>& grad,
                   bool accumulate) {
  ensure_same_layout(x, dy);
  for_chunks(x, [&](std::int64_t i, Chunk chunk) {
    const std::int64_t at = x.at(i, chunk.channel, 0);
    double unused[kLanes], sum[kLanes];
    channel_sums({x.pixels(), x.block, chunk.width}, dy.data + at, x.data + at, kZeros, unused,
                 sum);
    for (int j = 0; j < chunk.width; ++j) {
      T& to = grad.data[grad.at(i, chunk.channel + j, 0)];
      to = T(static_cast<float>(sum[j]) + (accumulate ? to : 0.F));
    }
  });
}

template <class T>
class Mul : public Kernel {
 public:
  void forward(const ForwardArgs& args) override {
    const TensorOf<T> a(args.inputs[0]), b(args.inputs[1]), y(args.output);
    if (a.pixels() == b.pixels()) return multiply(a, b, y, false);
    const bool gated = b.pixels() == 1;
    scale(gated ? a : b, gated ? b : a, y, false);
  }

  void backward(const BackwardArgs& args) override {
    for (std::size_t k = 0; k < 2; ++k) {
      const TensorOf<T> own(args.inputs[k]), other(args.inputs[1 - k]);
      const TensorOf<T> grad(args.grad_inputs[k]), dy(args.grad_output);
      if (!grad.data) continue;
      if (own.pixels() == other.pixels()) {
        multiply(dy, other, grad, args.accumulate[k]);
      } else if (other.pixels() == 1) {
        scale(dy, other, grad, args.accumulate[k]);
      } else {
        add_gate_grad(other, dy, grad, args.accumulate[k]);
      }
    }
  }
};

}  // namespace

KernelPtr make_mul(const KernelSpec& spec) { return make_stored<Mul>(spec); }

}  // namespace hpmp::cpu
