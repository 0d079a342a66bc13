// One op, or a link of several, run by its kernel and by a float64 reference: forward, and
// backward by differences.
#pragma once

#include <cstring>
#include <functional>
#include <limits>
#include <memory>

#include "backend.h"
#include "check.h"
#include "engine/engine.h"
#include "engine/kernel.h"
#include "graph/links.h"
#include "graph/ops.h"
#include "kernel_tensors.h"

namespace kernel_test {

struct Case {
  OpKind op = OpKind::relu;
  Attrs attrs;
  std::vector<std::pair<OpKind, Attrs>> fused;  // behind `op`; an add takes the last of `inputs`
  std::int64_t samples = 2;
  std::vector<Shape> inputs;
  std::vector<Param> params;
  Ranges channels;            // of the output; empty: all
  std::int64_t in_block = 0;  // 0: channel_block
  std::int64_t out_block = 0;
  std::int64_t bn_group = 1;
  StepInfo step;
  std::vector<std::int64_t> labels;
  double least = -2, most = 2;  // of the inputs
  std::vector<double> kinks;    // that no input is drawn at: differences would see both sides
  std::function<Array(const Arrays&, const Params&)> reference;
  std::function<void(Array& grad_output)> fix_grad_output;
  std::function<void(Params&)> fix_params;
  double tolerance = 2e-5;  // of 1 + |reference|, float32
  DType dtype = DType::fp32;
  double bf16_tolerance = 1.0 / 128;  // likewise; results are rounded to 8 bits
  int differences = 20;               // gradient elements checked per array, about
};

class Run {
 public:
  explicit Run(const Case& c) : case_(c) {
    build_graph();
    draw_values();
    prepare();
    scratch_ = std::make_unique<Memory>(kernel->scratch_bytes());
    std::int64_t saved = 0;
    for (NodeId n : tested_)
      saved += saved_bytes(graph_, graph_.node(n), c.samples, output_->ref.c, c.bn_group);
    saved_ = std::make_unique<Memory>(static_cast<std::size_t>(saved));
    std::vector<float*> pointers = param_pointers();
    kernel->load_params(pointers);
  }

  void check() {
    check_forward(false);
    if (link_.in_place) check_forward(true);
    if (case_.step.training || case_.op != OpKind::dropout) check_backward();
  }

  void check_forward(bool in_place) {
    for (std::size_t k = 0; k < inputs_.size(); ++k) inputs_[k].set(arrays_[k]);
    if (!in_place) output_->fill(std::numeric_limits<float>::quiet_NaN());
    ForwardArgs args;
    for (Tensor& t : inputs_) args.inputs.push_back(t.ref);
    args.output = in_place ? inputs_[0].ref : output_->ref;
    args.params = param_pointers();
    args.saved = saved_->data();
    args.scratch = scratch_->data();
    args.labels = case_.labels.data();
    args.step = case_.step;
    kernel->forward(args);
    check_guards();
    const Array expected = case_.reference(arrays_, params_);
    output_->each([&](auto i, auto c, auto p, auto at) {
      expect(Tensor::value_of(args.output, at),
             expected.at(i, c, p / output_->ref.w, p % output_->ref.w));
    });
    inputs_[0].set(arrays_[0]);
  }

  /// Packed rows of parameter j as the kernel left them.
  const std::vector<float>& param(std::size_t j) const { return packed_[j]; }
  const std::vector<double>& full_param(std::size_t j) const { return params_[j]; }
  const Graph& graph() const { return graph_; }

  std::unique_ptr<Kernel> kernel;

 private:
  void build_graph() {
    std::vector<ValueId> values;
    for (const Shape& s : case_.inputs) {
      Node in;
      in.op = OpKind::input;
      in.name = "in" + std::to_string(values.size());
      in.output = ValueId(static_cast<std::int64_t>(graph_.values.size()));
      graph_.values.push_back({in.name, s, NodeId(static_cast<std::int64_t>(graph_.nodes.size()))});
      graph_.nodes.push_back(in);
      values.push_back(in.output);
    }
    std::vector<ParamId> ids;
    for (const Param& p : case_.params) {
      ids.push_back(ParamId(static_cast<std::int64_t>(graph_.params.size())));
      graph_.params.push_back(p);
    }
    const auto own = static_cast<std::ptrdiff_t>(values.size()) - (adds() ? 1 : 0);
    add_tested(case_.op, {values.begin(), values.begin() + own}, ids, case_.attrs);
    for (const auto& [op, attrs] : case_.fused) {
      std::vector<ValueId> operands{graph_.nodes.back().output};
      if (op == OpKind::add) operands.push_back(values.back());
      add_tested(op, operands, {}, attrs);
    }
    output_shape_ = graph_.shape(graph_.nodes.back().output);
    Group group;
    group.nodes = tested_;
    const std::vector<Link> links = chain_links(graph_, group, true, true);
    CHECK(links.size() == 1);
    link_ = links[0];
    if (case_.channels.empty()) case_.channels = {{0, output_shape_.c}};
  }

  bool adds() const {
    for (const auto& [op, attrs] : case_.fused) {
      if (op == OpKind::add) return true;
    }
    return false;
  }

  void add_tested(OpKind op, std::vector<ValueId> operands, const std::vector<ParamId>& params,
                  const Attrs& attrs) {
    tested_.push_back(NodeId(static_cast<std::int64_t>(graph_.nodes.size())));
    const std::string name = "tested" + std::to_string(tested_.size());
    add_node(graph_, op, name, std::move(operands), params, attrs, name + ".out");
  }

  void draw_values() {
    for (const Shape& s : case_.inputs) {
      arrays_.emplace_back(case_.samples, s);
      draw_distinct(arrays_.back());
    }
    for (const Param& p : case_.params) {
      params_.emplace_back(static_cast<std::size_t>(p.elems()));
      const double low = p.role == ParamRole::running_var ? 0.25 : -1;
      for (double& x : params_.back()) x = stored(draw(low, 1), case_.dtype);
    }
    if (case_.fix_params) case_.fix_params(params_);
    for (std::size_t j = 0; j < params_.size(); ++j) {
      packed_.push_back(pack_rows(j, params_[j]));
      grads_.emplace_back(packed_[j].size());
    }
    grad_array_ = Array(case_.samples, output_shape_);
    for (double& x : grad_array_.data) x = stored(draw(), case_.dtype);
    if (case_.fix_grad_output) case_.fix_grad_output(grad_array_);
  }

  bool is_bound(double x) const {
    const auto either = [&](const Attrs& a) { return x == a.min || x == a.max; };
    for (double kink : case_.kinks) {
      if (x == kink) return true;
    }
    for (const auto& [op, attrs] : case_.fused) {
      if (either(attrs)) return true;
    }
    return x == 0 || either(case_.attrs);
  }

  /// Exact where they are stored, and distinct in a plane: what a maximum is of is no tie.
  void draw_distinct(Array& a) const {
    const std::int64_t pixels = a.shape.h * a.shape.w;
    for (auto plane = a.data.begin(); plane != a.data.end(); plane += pixels) {
      for (auto x = plane; x != plane + pixels; ++x) {
        do {
          *x = stored(draw(case_.least, case_.most), case_.dtype);
        } while (std::find(plane, x, *x) != x || is_bound(*x));
      }
    }
  }

  /// Of parameter j: those of the channels, or the one that all share.
  Ranges rows_of(std::size_t j) const {
    return case_.params[j].rows() == 1 ? Ranges{{0, 1}} : case_.channels;
  }

  std::vector<float> pack_rows(std::size_t j, const std::vector<double>& full) const {
    const std::int64_t row = case_.params[j].row_elems();
    std::vector<float> rows;
    for (Range r : rows_of(j)) {
      for (std::int64_t k = r.begin * row; k < r.end * row; ++k) {
        rows.push_back(static_cast<float>(full[static_cast<std::size_t>(k)]));
      }
    }
    return rows;
  }

  void prepare() {
    KernelSpec spec;
    spec.graph = &graph_;
    spec.node = tested_[0];
    spec.fused.assign(tested_.begin() + 1, tested_.end());
    spec.samples = case_.samples;
    spec.channels = case_.channels;
    output_ = std::make_unique<Tensor>(Array(case_.samples, output_shape_), case_.channels,
                                       case_.out_block, output_type());
    spec.dtype = case_.dtype;
    spec.output_shape = {output_->ref.c, output_shape_.h, output_shape_.w};
    spec.output_block = output_->ref.block;
    spec.bn_group = case_.bn_group;
    for (std::size_t k = 0; k < arrays_.size(); ++k) {
      Ranges needed;
      for (Range r : case_.channels) {
        const Region region{{0, case_.samples}, r, {0, output_shape_.h}};
        needed.push_back(tested_.size() > 1 ? r
                                            : needs(graph_, graph_.node(tested_[0]), region, k).c);
      }
      spec.input_channels.push_back(normalized(needed));
      inputs_.emplace_back(arrays_[k], spec.input_channels[k], case_.in_block, case_.dtype);
      const TensorRef& t = inputs_.back().ref;
      spec.input_shapes.push_back({t.c, t.h, t.w});
      spec.input_blocks.push_back(t.block);
    }
    kernel = prepare_kernel(spec);
  }

  std::vector<float*> param_pointers() {
    std::vector<float*> pointers;
    for (std::vector<float>& p : packed_) pointers.push_back(p.data());
    return pointers;
  }

  void check_guards() {
    scratch_->check_guard();
    saved_->check_guard();
    output_->memory.check_guard();
    for (Tensor& t : inputs_) t.memory.check_guard();
  }

  DType output_type() const { return case_.op == OpKind::loss ? DType::fp32 : case_.dtype; }

  void expect(double got, double expected) const {
    const bool bf16 = case_.dtype == DType::bf16;
    const double tolerance = bf16 ? case_.bf16_tolerance : case_.tolerance;
    CHECK_NEAR(got, expected, tolerance * (1 + std::abs(expected)));
  }

  /// The scalar whose gradient the backward pass must give.
  double objective(const Arrays& inputs, const Params& params) const {
    const Array y = case_.reference(inputs, params);
    double sum = 0;
    output_->each([&](auto i, auto c, auto p, auto) {
      const std::int64_t h = p / output_->ref.w, w = p % output_->ref.w;
      sum += y.at(i, c, h, w) * grad_array_.at(i, c, h, w);
    });
    return sum;
  }

  double difference(double& x, const Arrays& inputs, const Params& params) const {
    const double keep = x, step = 1e-7;  // few values cross a bound on the way
    x = keep + step;
    const double above = objective(inputs, params);
    x = keep - step;
    const double below = objective(inputs, params);
    x = keep;
    return (above - below) / (2 * step);
  }

  /// A gradient by differences: where it stands in its packed array, and its value.
  struct Expected {
    std::size_t array;
    std::int64_t at;
    double value;
  };

  bool sampled(std::int64_t count) const {
    return std::uniform_int_distribution<std::int64_t>(0, count)(generator()) <= case_.differences;
  }

  void differentiate() {
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      const TensorRef& t = inputs_[k].ref;
      inputs_[k].each([&](auto i, auto c, auto p, auto at) {
        if (!sampled(t.elems())) return;
        double& x = arrays_[k].at(i, c, p / t.w, p % t.w);
        input_grads_.push_back({k, at, difference(x, arrays_, params_)});
      });
    }
    for (std::size_t j = 0; j < params_.size(); ++j) {
      const std::int64_t row = case_.params[j].row_elems();
      std::int64_t packed = 0;
      for (Range r : rows_of(j)) {
        for (std::int64_t k = r.begin * row; k < r.end * row; ++k, ++packed) {
          if (case_.params[j].is_state() || !sampled(total_size(rows_of(j)) * row)) continue;
          double& w = params_[j][static_cast<std::size_t>(k)];
          param_grads_.push_back({j, packed, difference(w, arrays_, params_)});
        }
      }
    }
  }

  void check_backward() {
    differentiate();
    std::vector<Tensor> grads;
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      grads.emplace_back(arrays_[k], inputs_[k].channels, inputs_[k].ref.block, case_.dtype);
    }
    for (auto& g : grads_) std::fill(g.begin(), g.end(), 1.f);
    backward(grads, false, false);  // into NaN: every element must be written
    check_grads(grads, 0, 1);
    for (Tensor& g : grads) g.fill(3);
    backward(grads, true, false);
    check_grads(grads, 3, 2);
    if (!link_.gradient_in_place) return;
    backward(grads, false, true);
    check_grads(grads, 0, 3);
  }

  /// Input gradients were added to `start`; each of `times` passes added a parameter's to 1.
  void check_grads(const std::vector<Tensor>& grads, double start, int times) const {
    for (const Tensor& g : grads) {
      g.each([&](auto, auto, auto, auto at) { CHECK(std::isfinite(g.value(at))); });
    }
    for (const Expected& e : input_grads_) {
      expect(grads[e.array].value(e.at), start + e.value);
    }
    for (const Expected& e : param_grads_) {
      expect(grads_[e.array][static_cast<std::size_t>(e.at)], 1 + times * e.value);
    }
  }

  void backward(std::vector<Tensor>& grads, bool accumulate, bool in_place) {
    Tensor grad_output(grad_array_, case_.channels, output_->ref.block, output_type());
    grad_output.set(grad_array_);
    if (in_place)
      std::memcpy(grads[0].ref.data, grad_output.ref.data,
                  static_cast<std::size_t>(grad_output.ref.bytes()));
    BackwardArgs args;
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
      args.inputs.push_back(inputs_[k].ref);
      const bool added = adds() && k + 1 == inputs_.size();
      if (added || !link_.backward_reads_input) args.inputs.back().data = nullptr;
      args.grad_inputs.push_back(grads[k].ref);
      args.accumulate.push_back(accumulate && !in_place);
    }
    args.output = output_->ref;
    if (!link_.backward_reads_output) args.output.data = nullptr;
    args.grad_output = in_place ? grads[0].ref : grad_output.ref;
    args.params = param_pointers();
    for (std::size_t j = 0; j < grads_.size(); ++j) {
      args.param_grads.push_back(case_.params[j].is_state() ? nullptr : grads_[j].data());
    }
    args.saved = saved_->data();
    args.scratch = scratch_->data();
    args.labels = case_.labels.data();
    args.step = case_.step;
    kernel->backward(args);
    check_guards();
    for (Tensor& g : grads) g.memory.check_guard();
  }

  Case case_;
  Graph graph_;
  std::vector<NodeId> tested_;
  Link link_;
  Shape output_shape_;
  Arrays arrays_;
  Params params_;
  Array grad_array_;
  std::vector<std::vector<float>> packed_, grads_;
  std::vector<Expected> input_grads_, param_grads_;
  std::vector<Tensor> inputs_;
  std::unique_ptr<Tensor> output_;
  std::unique_ptr<Memory> scratch_, saved_;
};

/// What the backend under test computes with: bf16 not on every CPU.
inline std::vector<DType> dtypes_here() {
  const DeviceKind device = on_gpu() ? DeviceKind::cuda : DeviceKind::cpu;
  if (!runs_dtype(DType::bf16, device)) return {DType::fp32};
  return {DType::fp32, DType::bf16};
}

inline void check_case(Case c) {
  for (DType dtype : dtypes_here()) {
    c.dtype = dtype;
    Run(c).check();
  }
}

}  // namespace kernel_test
