// Convolutions by oneDNN: primitives prepared once for our layouts, copies only where it has no
// fast code for them. Weights stay plain outside; `load` makes the copies that the primitives like.
#include <dnnl.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/cpu/conv.h"
#include "engine/cpu/elementwise.h"
#include "engine/cpu/kernels.h"

namespace hpmp::cpu {

namespace {

using dnnl::memory;
using tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

memory::desc describe(const memory::dims& dims, tag layout) {
  return {dims, memory::data_type::f32, layout};
}

memory unbound(const memory::desc& desc) { return {desc, cpu_engine(), DNNL_MEMORY_NONE}; }

/// Offsets in the scratch of one call, at cache lines.
class ScratchLayout {
 public:
  std::size_t take(std::size_t bytes) {
    const std::size_t offset = total_;
    total_ += (bytes + 63) / 64 * 64;
    return offset;
  }
  std::size_t total() const { return total_; }

 private:
  std::size_t total_ = 0;
};

/// An activation in our layout, and every oneDNN name of that layout, the preferred first.
struct Activation {
  memory::dims dims;
  std::vector<tag> tags;

  Activation(std::int64_t n, const Shape& shape, std::int64_t block)
      : dims{n, shape.c, shape.h, shape.w} {
    if (block == 16) tags.push_back(tag::nChw16c);
    if (block == 8) tags.push_back(tag::nChw8c);
    if (block == shape.c || shape.h * shape.w == 1) tags.push_back(tag::nhwc);
    if (block == 1 || shape.h * shape.w == 1) tags.push_back(tag::nchw);
    if (tags.empty()) {
      fail(ErrorCode::internal, "internal error: no layout has " + std::to_string(block) + " of " +
                                    std::to_string(shape.c) + " channels in a block");
    }
  }
  memory::desc desc() const { return describe(dims, tags[0]); }
  memory::desc desc(tag layout) const { return describe(dims, layout); }
};

/// The first primitive that is not a reference implementation: in our layouts, then with one side
/// copied, then with both. make(src, dst) may return an empty descriptor.
template <class Make>
auto fastest(const Activation& src, const Activation& dst, const Make& make) {
  std::vector<std::pair<tag, tag>> layouts;
  for (tag s : src.tags) {
    for (tag d : dst.tags) layouts.push_back({s, d});
  }
  layouts.insert(layouts.end(),
                 {{src.tags[0], tag::any}, {tag::any, dst.tags[0]}, {tag::nhwc, tag::nhwc}});
  for (auto [s, d] : layouts) {
    auto pd = make(src.desc(s), dst.desc(d));
    if (pd && std::string(pd.impl_info_str()).find("ref") == std::string::npos) return pd;
  }
  return make(src.desc(tag::any), dst.desc(tag::any));
}

/// One operand of a primitive, copied to or from our layout through scratch where they differ.
class Operand {
 public:
  enum Direction { kRead, kWrite };
  Operand() = default;
  Operand(const memory::desc& ours, const memory::desc& primitive, Direction direction,
          bool always_copied, ScratchLayout& scratch)
      : ours_(unbound(ours)), theirs_(unbound(primitive)), direction_(direction) {
    same_layout_ = ours == primitive;
    if (same_layout_ && !always_copied) return;
    offset_ = scratch.take(primitive.get_size());
    if (!same_layout_) copy_ = reorder(direction == kRead, false);
    if (!same_layout_ && direction == kWrite) add_ = reorder(false, true);
  }

  const memory& bound() const { return theirs_; }

  void bind(float* data, std::byte* scratch, bool copied) {
    ours_.set_data_handle(data);
    copied_ = !same_layout_ || (copied && direction_ == kWrite);
    theirs_.set_data_handle(copied_ ? static_cast<void*>(scratch + offset_) : data);
  }
  void before(const dnnl::stream& stream) {
    if (direction_ == kRead && copied_) copy_.execute(stream, ours_, theirs_);
  }
  void after(const dnnl::stream& stream, bool accumulate) {
    if (direction_ == kRead || !copied_ || !ours_.get_data_handle()) return;
    if (same_layout_) {
      add_floats(static_cast<float*>(ours_.get_data_handle()),
                 static_cast<const float*>(theirs_.get_data_handle()),
                 static_cast<std::int64_t>(ours_.get_desc().get_size() / sizeof(float)));
    } else {
      (accumulate ? add_ : copy_).execute(stream, theirs_, ours_);
    }
  }

 private:
  dnnl::reorder reorder(bool inwards, bool add) const {
    dnnl::primitive_attr attr;
    if (add) {
      dnnl::post_ops sum;
      sum.append_sum(1.f);
      attr.set_post_ops(sum);
    }
    return dnnl::reorder(
        dnnl::reorder::primitive_desc(cpu_engine(), (inwards ? ours_ : theirs_).get_desc(),
                                      cpu_engine(), (inwards ? theirs_ : ours_).get_desc(), attr));
  }

  memory ours_, theirs_;
  Direction direction_ = kRead;
  bool same_layout_ = true, copied_ = false;
  std::size_t offset_ = 0;
  dnnl::reorder copy_, add_;
};

/// A prepared primitive with its operands; pointers are given at each run.
class Pass {
 public:
  std::size_t scratch_bytes() const { return scratch_.total(); }

  void add(int argument, const memory::desc& ours, const memory::desc& primitive,
           Operand::Direction direction, bool always_copied = false) {
    operands_.emplace_back(ours, primitive, direction, always_copied, scratch_);
    arguments_[argument] = operands_.back().bound();
  }
  void hold(int argument, const memory& held) { arguments_[argument] = held; }

  template <class Primitive>
  void prepare(const typename Primitive::primitive_desc& pd) {
    primitive_ = Primitive(pd);
    scratchpad_ = unbound(pd.scratchpad_desc());
    scratchpad_offset_ = scratch_.take(pd.scratchpad_desc().get_size());
    arguments_[DNNL_ARG_SCRATCHPAD] = scratchpad_;
  }

  /// data: one pointer per operand in the order of `add`.
  void run(const dnnl::stream& stream, std::initializer_list<float*> data, std::byte* scratch,
           bool accumulate) {
    const auto* pointer = data.begin();
    for (Operand& operand : operands_) operand.bind(*pointer++, scratch, accumulate);
    scratchpad_.set_data_handle(scratch + scratchpad_offset_);
    for (Operand& operand : operands_) operand.before(stream);
    primitive_.execute(stream, arguments_);
    for (Operand& operand : operands_) operand.after(stream, accumulate);
  }

 private:
  dnnl::primitive primitive_;
  std::vector<Operand> operands_;
  Arguments arguments_;
  ScratchLayout scratch_;
  memory scratchpad_;
  std::size_t scratchpad_offset_ = 0;
};

/// Weights kept in a primitive's layout.
struct HeldWeights {
  memory plain, held;
  dnnl::reorder reorder;

  HeldWeights() = default;
  HeldWeights(const memory::desc& from, const memory::desc& to)
      : plain(unbound(from)), held(to, cpu_engine()), reorder(plain, held) {}
  void load(const dnnl::stream& stream, const float* data) {
    plain.set_data_handle(const_cast<float*>(data));
    reorder.execute(stream, plain, held);
  }
  std::size_t bytes() const { return held ? held.get_desc().get_size() : 0; }
};

using ForwardDesc = dnnl::convolution_forward::primitive_desc;
using DataDesc = dnnl::convolution_backward_data::primitive_desc;
using WeightsDesc = dnnl::convolution_backward_weights::primitive_desc;

/// The geometry of the rank's part of a convolution, and its primitive descriptors.
class Geometry {
 public:
  explicit Geometry(const KernelSpec& spec)
      : src(spec.samples, spec.input_shapes[0], input_block(spec)),
        dst(spec.samples, spec.output_shape, output_block(spec)) {
    const Node& node = node_of(spec);
    const Param& weight = spec.graph->param(node.params[0]);
    const Attrs& attrs = node.attrs;
    const std::int64_t rows = spec.output_shape.c;
    const std::int64_t groups = attrs.groups == 1 ? 1 : rows / (weight.rows() / attrs.groups);
    ensure(groups > 0 && rows % groups == 0 && groups * weight.dims[1] == spec.input_shapes[0].c,
           "a convolution computes whole groups from all of their input channels");
    weight_dims_ = {rows, weight.dims[1], attrs.kernel[0], attrs.kernel[1]};
    if (attrs.groups > 1)
      weight_dims_ = {groups, rows / groups, weight.dims[1], attrs.kernel[0], attrs.kernel[1]};
    if (node.params.size() > 1) bias = describe({rows}, tag::a);
    strides_ = {attrs.strides[0], attrs.strides[1]};
    dilations_ = {attrs.dilations[0] - 1, attrs.dilations[1] - 1};
    before_ = {attrs.pads[0], attrs.pads[1]};
    after_ = {attrs.pads[2], attrs.pads[3]};
  }

  memory::desc plain_weights() const {
    return describe(weight_dims_, weight_dims_.size() == 5 ? tag::goihw : tag::oihw);
  }
  ForwardDesc forward() const {
    return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
      return ForwardDesc(cpu_engine(), dnnl::prop_kind::forward_training, kDirect, s, any_weights(),
                         bias, d, strides_, dilations_, before_, after_, user_scratchpad(), true);
    });
  }
  DataDesc backward_data(const ForwardDesc& hint) const {
    return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
      return DataDesc(cpu_engine(), kDirect, s, any_weights(), d, strides_, dilations_, before_,
                      after_, hint, user_scratchpad(), true);
    });
  }
  WeightsDesc backward_weights(const ForwardDesc& hint) const {
    return fastest(src, dst, [&](const memory::desc& s, const memory::desc& d) {
      return WeightsDesc(cpu_engine(), kDirect, s, any_weights(), bias, d, strides_, dilations_,
                         before_, after_, hint, user_scratchpad(), true);
    });
  }

  Activation src, dst;
  memory::desc bias;  // empty where the convolution has none

 private:
  static constexpr dnnl::algorithm kDirect = dnnl::algorithm::convolution_direct;

  memory::desc any_weights() const { return describe(weight_dims_, tag::any); }

  memory::dims weight_dims_, strides_, dilations_, before_, after_;
};

/// The weights in the layout of a primitive, which the passes that like the same one share.
using SharedWeights = std::shared_ptr<HeldWeights>;

class DirectMap : public ConvMap {
 public:
  DirectMap(Pass pass, SharedWeights weights, bool owner)
      : stream_(cpu_engine()),
        pass_(std::move(pass)),
        weights_(std::move(weights)),
        owner_(owner) {}

  std::size_t scratch_bytes() const override { return pass_.scratch_bytes(); }
  std::size_t resident_bytes() const override { return owner_ ? weights_->bytes() : 0; }
  void load(const float* weights) override {
    if (owner_) weights_->load(stream_, weights);
  }
  void run(float* src, float* dst, float* bias, bool add, std::byte* scratch) override {
    pass_.run(stream_, {src, dst, bias}, scratch, add);
  }

 private:
  dnnl::stream stream_;
  Pass pass_;
  SharedWeights weights_;
  bool owner_;  // of two that share them the first
};

class DirectParamGrad : public ConvParamGrad {
 public:
  explicit DirectParamGrad(Pass pass) : stream_(cpu_engine()), pass_(std::move(pass)) {}

  std::size_t scratch_bytes() const override { return pass_.scratch_bytes(); }
  void run(float* src, float* grad_dst, float* weights, float* bias, std::byte* scratch) override {
    pass_.run(stream_, {src, grad_dst, weights, bias}, scratch, true);
  }

 private:
  dnnl::stream stream_;
  Pass pass_;
};

Pass forward_pass(const Geometry& geometry, const ForwardDesc& pd, const HeldWeights& weights) {
  Pass pass;
  pass.add(DNNL_ARG_SRC, geometry.src.desc(), pd.src_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DST, geometry.dst.desc(), pd.dst_desc(), Operand::kWrite);
  if (geometry.bias.get_ndims() > 0)
    pass.add(DNNL_ARG_BIAS, geometry.bias, geometry.bias, Operand::kRead);
  pass.hold(DNNL_ARG_WEIGHTS, weights.held);
  pass.prepare<dnnl::convolution_forward>(pd);
  return pass;
}

Pass backward_data_pass(const Geometry& geometry, const DataDesc& pd, const HeldWeights& weights,
                        bool accumulates) {
  Pass pass;
  pass.add(DNNL_ARG_DIFF_DST, geometry.dst.desc(), pd.diff_dst_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DIFF_SRC, geometry.src.desc(), pd.diff_src_desc(), Operand::kWrite,
           accumulates);
  pass.hold(DNNL_ARG_WEIGHTS, weights.held);
  pass.prepare<dnnl::convolution_backward_data>(pd);
  return pass;
}

Pass backward_params_pass(const Geometry& geometry, const WeightsDesc& pd) {
  Pass pass;
  pass.add(DNNL_ARG_SRC, geometry.src.desc(), pd.src_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DIFF_DST, geometry.dst.desc(), pd.diff_dst_desc(), Operand::kRead);
  pass.add(DNNL_ARG_DIFF_WEIGHTS, geometry.plain_weights(), pd.diff_weights_desc(), Operand::kWrite,
           true);
  if (geometry.bias.get_ndims() > 0)
    pass.add(DNNL_ARG_DIFF_BIAS, geometry.bias, geometry.bias, Operand::kWrite, true);
  pass.prepare<dnnl::convolution_backward_weights>(pd);
  return pass;
}

}  // namespace

void add_direct_passes(const KernelSpec& spec, ConvPasses& passes) {
  const Geometry geometry(spec);
  const ForwardDesc hint = geometry.forward();
  SharedWeights weights;
  if (!passes.forward) {
    weights = std::make_shared<HeldWeights>(geometry.plain_weights(), hint.weights_desc());
    passes.forward =
        std::make_unique<DirectMap>(forward_pass(geometry, hint, *weights), weights, true);
  }
  if (!spec.training) return;
  if (!passes.backward_params) {
    passes.backward_params = std::make_unique<DirectParamGrad>(
        backward_params_pass(geometry, geometry.backward_weights(hint)));
  }
  if (!spec.input_gradient || passes.backward_data) return;
  const DataDesc pd = geometry.backward_data(hint);
  const bool shared = weights && pd.weights_desc() == hint.weights_desc();
  if (!shared) weights = std::make_shared<HeldWeights>(geometry.plain_weights(), pd.weights_desc());
  passes.backward_data = std::make_unique<DirectMap>(
      backward_data_pass(geometry, pd, *weights, spec.accumulate), weights, !shared);
}

}  // namespace hpmp::cpu
