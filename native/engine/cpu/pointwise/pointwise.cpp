// The kernel of every function of one number (Sigmoid to Pow in the op table); the functions
// themselves are pointwise/lanes.h.
#include "engine/cpu/isa.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/pointwise/code.h"
#include "graph/ops.h"

namespace hpmp::cpu {

namespace {

using pointwise::Function;
using pointwise::Numbers;

Function function_of(const Node& node) {
  if (node.op == OpKind::gelu && node.attrs.approximate) return Function::gelu_tanh;
  ensure(OpKind::sigmoid <= node.op && node.op <= OpKind::pow,
         "the op is a function of one number");
  return static_cast<Function>(static_cast<int>(node.op) - static_cast<int>(OpKind::sigmoid));
}

const pointwise::Loops& loops_of(const Node& node) {
  const pointwise::Code& code =
      has_avx512() ? pointwise::avx512_code() : pointwise::baseline_code();
  return code.loops[static_cast<int>(function_of(node))];
}

/// Floats behind a piece of what a tensor stores: these themselves, or a copy for so many elements.
template <class T>
class Piece {
 public:
  static constexpr std::int64_t kMost = kStoredAs<T> == DType::bf16 ? 512 : 4096;

  const float* read(const T* from, std::int64_t count) {
    if constexpr (kStoredAs<T> == DType::fp32) return from;
    for (std::int64_t k = 0; k < count; ++k) copy_[k] = from[k];
    return copy_;
  }
  /// Where to write before `written`; `kept`: what is there is read, too.
  float* room(T* to, std::int64_t count, bool kept) {
    if constexpr (kStoredAs<T> == DType::fp32) return to;
    if (kept) read(to, count);
    return copy_;
  }
  void written(T* to, std::int64_t count) const {
    if constexpr (kStoredAs<T> == DType::bf16) {
      for (std::int64_t k = 0; k < count; ++k) put(to[k], copy_[k]);
    }
  }

 private:
  float copy_[kStoredAs<T> == DType::bf16 ? kMost : 1] = {};
};

/// body(begin, count) over pieces that a Piece takes.
template <class T, class Body>
void for_pieces(std::int64_t total, const Body& body) {
  for_elems(total, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += Piece<T>::kMost)
      body(begin, std::min(Piece<T>::kMost, end - begin));
  });
}

template <class T>
class Pointwise : public Kernel {
 public:
  explicit Pointwise(const Node& node)
      : loops_(loops_of(node)),
        reads_output_(op_info(node.op).backward_reads_output),
        reads_input_(op_info(node.op).backward_reads_input),
        numbers_{static_cast<float>(node.attrs.alpha), static_cast<float>(node.attrs.beta),
                 static_cast<float>(node.attrs.exponent)} {}

  void forward(const ForwardArgs& args) override {
    ensure_same_layout(args.inputs[0], args.output);
    const T* x = TensorOf<T>(args.inputs[0]).data;
    T* y = TensorOf<T>(args.output).data;
    for_pieces<T>(args.output.elems(), [&](std::int64_t begin, std::int64_t count) {
      Piece<T> from, to;
      loops_.forward(numbers_, from.read(x + begin, count), to.room(y + begin, count, false),
                     count);
      to.written(y + begin, count);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorOf<T> dx(args.grad_inputs[0]), grad(args.grad_output);
    if (!dx.data) return;
    ensure_same_layout(dx, grad);
    const T *dy = grad.data, *at = dy;
    if (reads_output_ || reads_input_)
      at = TensorOf<T>(reads_output_ ? args.output : args.inputs[0]).data;
    const bool add = args.accumulate[0];
    for_pieces<T>(dx.elems(), [&](std::int64_t begin, std::int64_t count) {
      Piece<T> place, passed, to;
      loops_.backward(numbers_, place.read(at + begin, count), passed.read(dy + begin, count),
                      to.room(dx.data + begin, count, add), count, add);
      to.written(dx.data + begin, count);
    });
  }

 private:
  const pointwise::Loops& loops_;
  bool reads_output_, reads_input_;
  Numbers numbers_;
};

}  // namespace

KernelPtr make_pointwise(const KernelSpec& spec) {
  return make_stored<Pointwise>(spec, node_of(spec));
}

}  // namespace hpmp::cpu
