// A dense layer that updates its weights in its backward pass: the gradients are those of the pass
// that does not, and the weights and the optimizer's states what it makes of them.
#include "kernel_case.h"
#include "optimizer_reference.h"

using namespace kernel_test;

namespace {

/// One layer of `in` features to `out`, with everything that a backward pass touches.
class Layer {
 public:
  Layer(std::int64_t samples, std::int64_t in, std::int64_t out, DType dtype)
      : x_(Array(samples, {in, 1, 1}), {{0, in}}, in, dtype),
        dy_(Array(samples, {out, 1, 1}), {{0, out}}, out, dtype),
        dx(Array(samples, {in, 1, 1}), {{0, in}}, in, dtype),
        weight(static_cast<std::size_t>(in * out)),
        state{std::vector<float>(weight.size()), std::vector<float>(weight.size())},
        grad(weight.size()) {
    generator().seed(5);
    for (Tensor* t : {&x_, &dy_, &dx}) {
      for (std::int64_t k = 0; k < t->ref.elems(); ++k) t->put(k, drawn());
    }
    for (auto* values : {&weight, &state[0], &grad}) {
      for (float& v : *values) v = drawn();
    }
    for (float& v : state[1]) v = std::abs(drawn());
    graph_.values.push_back({"x", {in, 1, 1}, NodeId(0)});
    graph_.nodes.push_back({});
    graph_.params.push_back({"w", ParamRole::weight, {out, in}, true});
    add_node(graph_, OpKind::dense, "dense", {ValueId(0)}, {ParamId(0)}, {}, "y");
  }

  void backward(const UpdateRule* update, bool accumulate) {
    KernelSpec spec;
    spec.graph = &graph_;
    spec.node = NodeId(1);
    spec.samples = x_.ref.n;
    spec.dtype = x_.ref.dtype;
    spec.channels = {{0, dy_.ref.c}};
    spec.input_channels = {{{0, x_.ref.c}}};
    spec.input_shapes = {{x_.ref.c, 1, 1}};
    spec.output_shape = {dy_.ref.c, 1, 1};
    const auto kernel = prepare_kernel(spec);
    Memory scratch(kernel->scratch_bytes());
    BackwardArgs args;
    args.inputs = {x_.ref};
    args.grad_output = dy_.ref;
    args.grad_inputs = {dx.ref};
    args.accumulate = {accumulate};
    args.params = {weight.data()};
    args.param_grads = {grad.data()};
    args.update = update;
    for (std::size_t k = 0; k < state.size(); ++k) args.state[k] = state[k].data();
    args.scratch = scratch.data();
    kernel->backward(args);
    scratch.check_guard();
    dx.memory.check_guard();
  }

 private:
  static float drawn() { return static_cast<float>(draw(-1, 1)); }

  Graph graph_;
  Tensor x_, dy_;

 public:
  Tensor dx;
  std::vector<float> weight;
  std::array<std::vector<float>, kMostStates> state;
  std::vector<float> grad;
};

void check_update(std::int64_t samples, std::int64_t in, std::int64_t out, bool accumulate,
                  DType dtype, OptimizerKind kind) {
  const Optimizer optimizer{kind, 0.3, 0.05, 0.8, 0.9, 0.999, 1e-3};
  const UpdateRule rule = update_rule(optimizer, 3);
  Layer plain(samples, in, out, dtype), updated(samples, in, out, dtype);
  std::fill(plain.grad.begin(), plain.grad.end(), 0.F);
  plain.backward(nullptr, accumulate);
  updated.backward(&rule, accumulate);
  const double tolerance = 1e-6 * static_cast<double>(samples + out);
  // Of the weights that the input's gradient reads, and of this itself.
  const double rounding = dtype == DType::bf16 ? std::sqrt(static_cast<double>(out)) / 64 : 0;
  for (std::int64_t k = 0; k < samples * in; ++k)
    CHECK_NEAR(updated.dx.value(k), plain.dx.value(k), tolerance + rounding);
  for (std::size_t k = 0; k < plain.weight.size(); ++k) {
    Element e{plain.weight[k], {plain.state[0][k], plain.state[1][k]}};
    e.step(optimizer, 3, plain.grad[k]);
    CHECK_NEAR(updated.grad[k], plain.grad[k], tolerance);
    for (std::size_t j = 0; j < e.state.size(); ++j)
      CHECK_NEAR(updated.state[j][k], e.state[j], tolerance * (1 + std::abs(e.state[j])));
    CHECK_NEAR(updated.weight[k], e.weight, 10 * tolerance);
  }
}

}  // namespace

TEST(a_dense_layer_that_updates_its_weights_has_the_same_gradients) {
  for (OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    for (DType dtype : {DType::fp32, DType::bf16}) {
      for (bool accumulate : {false, true}) {
        check_update(16, 64, 32, accumulate, dtype, kind);
        check_update(11, 75, 21, accumulate, dtype, kind);
        check_update(7, 96, 21, accumulate, dtype, kind);
        check_update(1, 5, 3, accumulate, dtype, kind);
        check_update(4, 4100, 9, accumulate, dtype, kind);  // more panels than a core takes at once
      }
    }
  }
}
