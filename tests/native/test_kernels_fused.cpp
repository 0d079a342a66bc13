// conv with the batch_norm, add and relu or clip that inference fuses behind it, as their sequence.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

struct Tail {
  bool bias, norm, adds;
  OpKind bound;  // identity: none
};

constexpr std::int64_t kIn = 8, kOut = 12, kSamples = 2;
constexpr double kEpsilon = 1e-3, kLow = -0.5, kHigh = 0.75;

/// The link over drawn numbers, by one kernel and by its definition.
class FusedConv {
 public:
  FusedConv(const Tail& tail, DType dtype) : tail_(tail), dtype_(dtype) {
    spec_.graph = &graph_;
    spec_.samples = kSamples;
    spec_.channels = {{0, kOut}};
    spec_.output_shape = {kOut, 4, 5};
    spec_.training = spec_.input_gradient = false;
    spec_.dtype = dtype;
    ValueId v = add_input(kIn);
    spec_.node = NodeId(static_cast<std::int64_t>(tail.adds ? 2 : 1));
    const ValueId addend = tail.adds ? add_input(kOut) : ValueId();
    std::vector<ParamId> own{add_param(ParamRole::weight, {kOut, kIn, 1, 1})};
    if (tail.bias) own.push_back(add_param(ParamRole::bias, {kOut}));
    v = add_node(graph_, OpKind::conv, "conv", {v}, own, {}, "conv.out");
    if (tail.norm) add_norm(v);
    if (tail.adds) fuse(OpKind::add, v, {v, addend}, {}, {});
    Attrs attrs;
    attrs.min = kLow;
    attrs.max = kHigh;
    if (tail.bound != OpKind::identity) fuse(tail.bound, v, {v}, {}, attrs);
  }

  void check() {
    const auto kernel = prepare_kernel(spec_);
    Tensor y(Array(kSamples, spec_.output_shape), spec_.channels, kOut, dtype_);
    Memory scratch(kernel->scratch_bytes());
    ForwardArgs args;
    for (Tensor& x : inputs_) args.inputs.push_back(x.ref);
    args.output = y.ref;
    for (std::vector<float>& p : params_) args.params.push_back(p.data());
    args.scratch = scratch.data();
    args.step.training = false;
    kernel->load_params(args.params);
    kernel->forward(args);
    const double tolerance = dtype_ == DType::bf16 ? 1.0 / 16 : 2e-5;
    y.each([&](auto i, auto c, auto p, auto at) {
      const double want = expected(i, c, p);
      CHECK_NEAR(y.value(at), want, tolerance * (1 + std::abs(want)));
    });
  }

 private:
  ValueId add_input(std::int64_t channels) {
    const Shape shape{channels, 4, 5};
    const auto v = ValueId(static_cast<std::int64_t>(graph_.values.size()));
    const std::string name = "in" + std::to_string(graph_.nodes.size());
    graph_.values.push_back({name, shape, NodeId(static_cast<std::int64_t>(graph_.nodes.size()))});
    Node in;
    in.op = OpKind::input;
    in.output = v;
    graph_.nodes.push_back(in);
    arrays_.emplace_back(kSamples, shape);
    for (double& x : arrays_.back().data) x = stored(draw(), dtype_);
    inputs_.emplace_back(arrays_.back(), Ranges{{0, channels}}, channels, dtype_);
    inputs_.back().set(arrays_.back());
    spec_.input_shapes.push_back(shape);
    spec_.input_channels.push_back({{0, channels}});
    spec_.input_blocks.push_back(channels);
    spec_.output_block = kOut;
    return v;
  }

  ParamId add_param(ParamRole role, std::vector<std::int64_t> dims) {
    const auto id = ParamId(static_cast<std::int64_t>(graph_.params.size()));
    graph_.params.push_back({"p" + std::to_string(graph_.params.size()), role, dims, true});
    params_.emplace_back(static_cast<std::size_t>(graph_.params.back().elems()));
    const double low = role == ParamRole::running_var ? 0.25 : -1;
    for (float& x : params_.back()) x = static_cast<float>(draw(low, 1));
    return id;
  }

  void add_norm(ValueId& v) {
    norm_ = params_.size();
    std::vector<ParamId> own;
    for (ParamRole role :
         {ParamRole::scale, ParamRole::shift, ParamRole::running_mean, ParamRole::running_var})
      own.push_back(add_param(role, {kOut}));
    Attrs attrs;
    attrs.epsilon = kEpsilon;
    fuse(OpKind::batch_norm, v, {v}, own, attrs);
  }

  void fuse(OpKind op, ValueId& v, std::vector<ValueId> operands, std::vector<ParamId> params,
            const Attrs& attrs) {
    const std::string name = "fused" + std::to_string(spec_.fused.size());
    spec_.fused.push_back(NodeId(static_cast<std::int64_t>(graph_.nodes.size())));
    v = add_node(graph_, op, name, std::move(operands), std::move(params), attrs, name + ".out");
  }

  double param(std::size_t j, std::int64_t k) const {
    return static_cast<double>(params_[j][static_cast<std::size_t>(k)]);
  }

  double expected(std::int64_t i, std::int64_t k, std::int64_t p) const {
    double y = tail_.bias ? param(1, k) : 0;
    for (std::int64_t c = 0; c < kIn; ++c) y += param(0, k * kIn + c) * arrays_[0].at(i, c, 0, p);
    if (tail_.norm)
      y = (y - param(norm_ + 2, k)) / std::sqrt(param(norm_ + 3, k) + kEpsilon) * param(norm_, k) +
          param(norm_ + 1, k);
    if (tail_.adds) y += arrays_[1].at(i, k, 0, p);
    if (tail_.bound == OpKind::relu) y = std::max(y, 0.0);
    if (tail_.bound == OpKind::clip) y = std::clamp(y, kLow, kHigh);
    return y;
  }

  Tail tail_;
  DType dtype_;
  Graph graph_;
  KernelSpec spec_;
  Arrays arrays_;
  std::vector<Tensor> inputs_;
  std::vector<std::vector<float>> params_;
  std::size_t norm_ = 0;
};

}  // namespace

TEST(a_conv_with_what_inference_fuses_behind_it_is_their_sequence) {
  for (DType dtype : dtypes_here()) {
    for (OpKind bound : {OpKind::identity, OpKind::relu, OpKind::clip}) {
      for (bool bias : {false, true}) {
        for (bool norm : {false, true}) {
          for (bool adds : {false, true}) FusedConv({bias, norm, adds, bound}, dtype).check();
        }
      }
    }
  }
}
