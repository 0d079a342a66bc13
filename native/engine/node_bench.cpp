#include "engine/node_bench.h"

#include <omp.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "engine/kernel.h"
#include "engine/stopwatch.h"
#include "engine/tensor.h"
#include "graph/ops.h"

namespace hpmp {
namespace {

/// Numbers far from zero: no kernel meets subnormals, however often its result is used again.
template <class T>
void fill(T* data, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    data[i] = T(0.5F + static_cast<float>(i % 61) * (1.0F / 128));
}

class NodeBench {
 public:
  NodeBench(const Graph& graph, NodeId n, std::int64_t samples, DType dtype, Backend& backend)
      : graph_(graph), node_(graph.node(n)), samples_(samples), dtype_(dtype), backend_(backend) {
    const OpInfo& op = op_info(node_.op);
    if (op.channels == ChannelClass::index_map || node_.op == OpKind::input ||
        node_.op == OpKind::output) {
      fail(ErrorCode::unsupported_op,
           "node '" + node_.name + "' (" + op.name + ") does no work that could be timed");
    }
    prepare(n);
    make_tensors();
    make_params();
  }

  void load() { kernel_->load_params(forward_.params); }

  void forward() { kernel_->forward(forward_); }

  /// `input`, `weights`: which gradients.
  void backward(bool input, bool weights) {
    BackwardArgs args = backward_;
    if (!input) args.grad_inputs.assign(args.grad_inputs.size(), TensorRef{});
    if (!weights) args.param_grads.assign(args.param_grads.size(), nullptr);
    kernel_->backward(args);
  }

 private:
  void prepare(NodeId n) {
    const Shape& out = graph_.shape(node_.output);
    KernelSpec spec;
    spec.graph = &graph_;
    spec.node = n;
    spec.samples = samples_;
    spec.channels = {{0, out.c}};
    for (ValueId v : node_.inputs) {
      const Shape& in = graph_.shape(v);
      spec.input_channels.push_back({{0, in.c}});
      spec.input_shapes.push_back(in);
      spec.input_blocks.push_back(block_of(v));
    }
    spec.output_shape = out;
    spec.bn_group = samples_;
    spec.dtype = dtype_;
    kernel_ = backend_.prepare(spec);
  }

  std::byte* bytes(std::int64_t count) {
    return memory_.emplace_back(backend_.allocate(std::max<std::int64_t>(count, 64), "a benchmark"))
        .get();
  }

  template <class T>
  T* numbers(std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    fill(values.data(), count);
    return put(values);
  }

  template <class T>
  T* put(const std::vector<T>& values) {
    const auto size = static_cast<std::int64_t>(values.size() * sizeof(T));
    auto* data = reinterpret_cast<T*>(bytes(size));
    backend_.put(data, values.data(), size);
    backend_.finish();
    return data;
  }

  std::int64_t block_of(ValueId v) const {
    const bool image = graph_.node(graph_.value(v).producer).op == OpKind::input;
    const std::int64_t c = graph_.shape(v).c;
    return image ? backend_.input_block(c) : backend_.block(c);
  }

  TensorRef tensor(ValueId v) {
    const Shape& s = graph_.shape(v);
    const bool loss = graph_.node(graph_.value(v).producer).op == OpKind::loss;
    TensorRef t{nullptr, samples_, s.c, s.h, s.w, block_of(v), loss ? DType::fp32 : dtype_};
    t.data = with_storage(
        t.dtype, [&](auto stored) -> void* { return numbers<decltype(stored)>(t.elems()); });
    return t;
  }

  /// As the engine does it: ops that may work in place do.
  void make_tensors() {
    const bool in_place = op_info(node_.op).in_place;
    const bool gradient_in_place = op_info(node_.op).gradient_in_place;
    for (ValueId v : node_.inputs) forward_.inputs.push_back(tensor(v));
    forward_.output = in_place ? forward_.inputs[0] : tensor(node_.output);
    backward_.inputs = forward_.inputs;
    backward_.output = forward_.output;
    backward_.grad_output = tensor(node_.output);
    for (std::size_t k = 0; k < node_.inputs.size(); ++k) {
      backward_.grad_inputs.push_back(gradient_in_place && k == 0 ? backward_.grad_output
                                                                  : tensor(node_.inputs[k]));
      backward_.accumulate.push_back(false);
    }
    const std::int64_t saved =
        saved_bytes(graph_, node_, samples_, graph_.shape(node_.output).c, samples_);
    forward_.saved = backward_.saved = bytes(saved);
    forward_.scratch = backward_.scratch =
        bytes(static_cast<std::int64_t>(kernel_->scratch_bytes()));
    labels_ = samples_ * forward_.inputs[0].pixels();
    forward_.labels = backward_.labels =
        put(std::vector<std::int64_t>(static_cast<std::size_t>(labels_)));
  }

  void make_params() {
    for (ParamId p : node_.params) {
      const Param& param = graph_.param(p);
      forward_.params.push_back(numbers<float>(param.elems()));
      backward_.param_grads.push_back(param.trainable ? numbers<float>(param.elems()) : nullptr);
    }
    backward_.params = forward_.params;
    forward_.step.counted = labels_;
    forward_.step.statistics_weight = 1;
    backward_.step = forward_.step;
  }

  const Graph& graph_;
  const Node& node_;
  std::int64_t samples_;
  DType dtype_;
  Backend& backend_;
  std::vector<Memory> memory_;
  std::unique_ptr<Kernel> kernel_;
  std::int64_t labels_ = 0;
  ForwardArgs forward_;
  BackwardArgs backward_;
};

}  // namespace

PassSamples time_node(const Graph& graph, NodeId n, const BenchOptions& options) {
  if (options.threads > 0) omp_set_num_threads(options.threads);
  const std::unique_ptr<Backend> backend = open_backend(options.device, options.dtype);
  NodeBench bench(graph, n, options.samples, options.dtype, *backend);
  const bool mixing = op_info(graph.node(n).op).channels == ChannelClass::mixing;
  BenchClock load(*backend, [&] { bench.load(); });
  BenchClock forward(*backend, [&] { bench.forward(); });
  BenchClock backward(*backend, [&] { bench.backward(true, !mixing); });
  std::optional<BenchClock> weights;
  if (mixing) weights.emplace(*backend, [&] { bench.backward(false, true); });
  PassSamples samples;
  const Stopwatch watch;
  for (int i = 0; i < options.repeats; ++i) {
    samples.load.push_back(load.seconds());
    samples.forward.push_back(forward.seconds());
    samples.backward.push_back(backward.seconds());
    if (weights) samples.weights.push_back(weights->seconds());
    if (watch.seconds() > options.budget_seconds) break;
  }
  return samples;
}

}  // namespace hpmp
