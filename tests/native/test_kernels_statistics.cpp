// batch_norm in two halves: each sums its own samples, and both normalise by the sums of all.
#include <cstring>

#include "backend.h"
#include "check.h"
#include "engine/kernel.h"
#include "graph/ops.h"

using namespace hpmp;

namespace {

constexpr std::int64_t kSamples = 6, kChannels = 16, kPixels = 6;
constexpr std::size_t kElems = kSamples * kChannels * kPixels;

struct Pass {
  std::vector<float> y = std::vector<float>(kElems), dx = std::vector<float>(kElems);
  std::vector<float> params = std::vector<float>(4 * kChannels, 0.5F);
  std::vector<float> grads = std::vector<float>(2 * kChannels);
};

Graph norm_graph() {
  Graph graph;
  graph.values.push_back({"x", {kChannels, 2, 3}, NodeId(0)});
  Node in;
  in.op = OpKind::input;
  in.output = ValueId(0);
  graph.nodes.push_back(in);
  std::vector<ParamId> params;
  for (ParamRole role :
       {ParamRole::scale, ParamRole::shift, ParamRole::running_mean, ParamRole::running_var}) {
    params.push_back(ParamId(static_cast<std::int64_t>(graph.params.size())));
    graph.params.push_back({"p" + std::to_string(params.size()), role, {kChannels}, true});
  }
  add_node(graph, OpKind::batch_norm, "norm", {ValueId(0)}, params, {}, "y");
  return graph;
}

/// A batch_norm over some of the samples of `pass`, with its memory.
class Part {
 public:
  Part(const Graph& graph, Pass& pass, std::vector<float>& x, std::vector<float>& dy,
       std::int64_t first, std::int64_t samples)
      : pass_(pass), x_(x), dy_(dy), first_(first), samples_(samples), saved_(kChannels * 8 * 6) {
    KernelSpec spec;
    spec.graph = &graph;
    spec.node = NodeId(1);
    spec.samples = samples;
    spec.channels = {{0, kChannels}};
    spec.output_shape = {kChannels, 2, 3};
    spec.input_shapes = {spec.output_shape};
    spec.bn_group = kSamples;
    kernel_ = kernel_test::prepare_kernel(spec);
    scratch_.resize(kernel_->scratch_bytes());
  }

  void forward(ChannelSums* own, const ChannelSums* all) {
    ForwardArgs args;
    args.inputs = {ref(x_)};
    args.output = ref(pass_.y);
    for (int p = 0; p < 4; ++p) args.params.push_back(pass_.params.data() + p * kChannels);
    args.saved = saved_.data();
    args.scratch = scratch_.data();
    args.step.statistics_weight = static_cast<double>(samples_) / kSamples;
    args.own_sums = own;
    args.all_sums = all;
    kernel_->forward(args);
  }

  void backward(ChannelSums* own, const ChannelSums* all) {
    BackwardArgs args;
    args.inputs = {ref(x_)};
    args.grad_output = ref(dy_);
    args.grad_inputs = {ref(pass_.dx)};
    args.accumulate = {false};
    for (int p = 0; p < 4; ++p) args.params.push_back(pass_.params.data() + p * kChannels);
    args.param_grads = {pass_.grads.data(), pass_.grads.data() + kChannels, nullptr, nullptr};
    args.saved = saved_.data();
    args.scratch = scratch_.data();
    args.own_sums = own;
    args.all_sums = all;
    kernel_->backward(args);
  }

 private:
  TensorRef ref(std::vector<float>& of) const {
    return {of.data() + first_ * kChannels * kPixels, samples_, kChannels, 2, 3, kChannels};
  }

  Pass& pass_;
  std::vector<float>&x_, &dy_;
  std::int64_t first_, samples_;
  std::vector<std::byte> saved_, scratch_;
  std::unique_ptr<Kernel> kernel_;
};

std::vector<float> drawn(double offset) {
  std::vector<float> values(kElems);
  std::uint32_t state = 7;
  for (float& v : values) {
    state = state * 1664525U + 1013904223U;
    v = static_cast<float>(offset + static_cast<double>(state) / 4294967296.0);
  }
  return values;
}

std::vector<ChannelSums> added(const std::vector<ChannelSums>& a,
                               const std::vector<ChannelSums>& b) {
  std::vector<ChannelSums> sum(kChannels);
  for (std::size_t c = 0; c < sum.size(); ++c)
    sum[c] = {a[c].first + b[c].first, a[c].second + b[c].second};
  return sum;
}

void check_same(const std::vector<float>& got, const std::vector<float>& expected) {
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK_NEAR(got[i], expected[i], 1e-6 * (1 + std::abs(static_cast<double>(expected[i]))));
}

}  // namespace

TEST(two_parts_that_share_their_sums_normalise_as_the_whole_does) {
  const Graph graph = norm_graph();
  std::vector<float> x = drawn(3), dy = drawn(-0.5);
  Pass whole, parts;
  Part all(graph, whole, x, dy, 0, kSamples);
  all.forward(nullptr, nullptr);
  all.backward(nullptr, nullptr);
  Part first(graph, parts, x, dy, 0, 2), second(graph, parts, x, dy, 2, 4);
  std::vector<ChannelSums> a(kChannels), b(kChannels);
  first.forward(a.data(), nullptr);
  second.forward(b.data(), nullptr);
  const std::vector<ChannelSums> moments = added(a, b);
  first.forward(nullptr, moments.data());
  second.forward(nullptr, moments.data());
  first.backward(a.data(), nullptr);
  second.backward(b.data(), nullptr);
  const std::vector<ChannelSums> slopes = added(a, b);
  first.backward(nullptr, slopes.data());
  second.backward(nullptr, slopes.data());
  check_same(parts.y, whole.y);
  check_same(parts.dx, whole.dx);
  check_same(parts.params, whole.params);
  check_same(parts.grads, whole.grads);
}
