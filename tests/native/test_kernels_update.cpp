// A dense layer that updates its weights in its backward pass: the gradients are those of the pass
// that does not, and the weights and momentum what SGD makes of them.
#include "engine/engine.h"
#include "kernel_case.h"

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
        momentum(weight.size()),
        grad(weight.size()) {
    generator().seed(5);
    for (Tensor* t : {&x_, &dy_, &dx}) {
      for (std::int64_t k = 0; k < t->ref.elems(); ++k) t->put(k, drawn());
    }
    for (auto* values : {&weight, &momentum, &grad}) {
      for (float& v : *values) v = drawn();
    }
    graph_.values.push_back({"x", {in, 1, 1}, NodeId(0)});
    graph_.nodes.push_back({});
    graph_.params.push_back({"w", ParamRole::weight, {out, in}, true});
    add_node(graph_, OpKind::dense, "dense", {ValueId(0)}, {ParamId(0)}, {}, "y");
  }

  void backward(const Sgd* update, bool accumulate) {
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
    args.momentum = momentum.data();
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
  std::vector<float> weight, momentum, grad;
};

void check_update(std::int64_t samples, std::int64_t in, std::int64_t out, bool accumulate,
                  DType dtype) {
  Sgd sgd;
  sgd.lr = 0.3;
  sgd.momentum = 0.8;
  sgd.weight_decay = 0.05;
  Layer plain(samples, in, out, dtype), updated(samples, in, out, dtype);
  std::fill(plain.grad.begin(), plain.grad.end(), 0.F);
  plain.backward(nullptr, accumulate);
  updated.backward(&sgd, accumulate);
  const double tolerance = 1e-6 * static_cast<double>(samples + out);
  // Of the weights that the input's gradient reads, and of this itself.
  const double rounding = dtype == DType::bf16 ? std::sqrt(static_cast<double>(out)) / 64 : 0;
  for (std::int64_t k = 0; k < samples * in; ++k)
    CHECK_NEAR(updated.dx.value(k), plain.dx.value(k), tolerance + rounding);
  for (std::size_t k = 0; k < plain.weight.size(); ++k) {
    const double w = plain.weight[k], g = plain.grad[k];
    const double m = sgd.momentum * plain.momentum[k] + (g + sgd.weight_decay * w);
    CHECK_NEAR(updated.grad[k], g, tolerance);
    CHECK_NEAR(updated.momentum[k], m, tolerance);
    CHECK_NEAR(updated.weight[k], w - sgd.lr * m, tolerance);
  }
}

}  // namespace

TEST(a_dense_layer_that_updates_its_weights_has_the_same_gradients) {
  for (DType dtype : {DType::fp32, DType::bf16}) {
    for (bool accumulate : {false, true}) {
      check_update(16, 64, 32, accumulate, dtype);
      check_update(11, 75, 21, accumulate, dtype);
      check_update(7, 96, 21, accumulate, dtype);
      check_update(1, 5, 3, accumulate, dtype);
      check_update(4, 4100, 9, accumulate, dtype);  // more panels than a core takes at once
    }
  }
}
