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
    const float* x = args.inputs[0].data;
    float* y = args.output.data;
    for_elems(args.output.elems(), [&](std::int64_t begin, std::int64_t end) {
      loops_.forward(numbers_, x + begin, y + begin, end - begin);
    });
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef& dx = args.grad_inputs[0];
    if (!dx.data) return;
    ensure_same_layout(dx, args.grad_output);
    const float* dy = args.grad_output.data;
    const float* at = reads_output_ ? args.output.data : reads_input_ ? args.inputs[0].data : dy;
    for_elems(dx.elems(), [&](std::int64_t begin, std::int64_t end) {
      loops_.backward(numbers_, at + begin, dy + begin, dx.data + begin, end - begin,
                      args.accumulate[0]);
    });
  }

 private:
  const pointwise::Loops& loops_;
  bool reads_output_, reads_input_;
  Numbers numbers_;
};

}  // namespace

KernelPtr make_pointwise(const KernelSpec& spec) {
  return std::make_unique<Pointwise>(node_of(spec));
}

}  // namespace hpmp::cpu
