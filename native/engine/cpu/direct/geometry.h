// The geometry of a rank's part of a convolution, as oneDNN sees it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/cpu/conv.h"
#include "engine/cpu/direct/pass.h"

namespace hpmp::cpu {

/// An activation in our layout, and every oneDNN name of that layout, the preferred first.
struct Activation {
  memory::dims dims;
  std::vector<memory::format_tag> tags;
  DType dtype;

  Activation(std::int64_t n, const Shape& shape, std::int64_t block, DType dtype);
  memory::desc desc() const { return desc(tags[0]); }
  memory::desc desc(memory::format_tag layout) const { return describe(dims, layout, dtype); }
};

/// The first primitive that is not a reference implementation: in our layouts, then with one side
/// copied, the smaller one if possible, then with both. make(src, dst) may return an empty
/// descriptor.
template <class Make>
auto fastest(const Activation& src, const Activation& dst, const Make& make) {
  using tag = memory::format_tag;
  std::vector<std::pair<tag, tag>> layouts;
  for (tag s : src.tags) {
    for (tag d : dst.tags) layouts.push_back({s, d});
  }
  const std::pair<tag, tag> copied_src{tag::any, dst.tags[0]}, copied_dst{src.tags[0], tag::any};
  const bool smaller_src = src.desc().get_size() < dst.desc().get_size();
  layouts.push_back(smaller_src ? copied_src : copied_dst);
  layouts.push_back(smaller_src ? copied_dst : copied_src);
  layouts.push_back({tag::nhwc, tag::nhwc});
  for (auto [s, d] : layouts) {
    auto pd = make(src.desc(s), dst.desc(d));
    if (pd && std::string(pd.impl_info_str()).find("ref") == std::string::npos) return pd;
  }
  return make(src.desc(tag::any), dst.desc(tag::any));
}

using ForwardDesc = dnnl::convolution_forward::primitive_desc;
using DataDesc = dnnl::convolution_backward_data::primitive_desc;
using WeightsDesc = dnnl::convolution_backward_weights::primitive_desc;

/// Shapes and layouts, and the fastest primitive for each pass.
class Geometry {
 public:
  Geometry(const KernelSpec& spec, const ConvTail& tail);

  memory::desc plain_weights() const;
  ForwardDesc forward(const ConvTail& tail) const;
  DataDesc backward_data(const ForwardDesc& hint) const;
  WeightsDesc backward_weights(const ForwardDesc& hint) const;

  Activation src, dst;
  memory::desc bias;  // empty where the convolution has none

 private:
  memory::desc any_weights(DType dtype) const {
    return describe(weight_dims_, memory::format_tag::any, dtype);
  }

  memory::dims weight_dims_, strides_, dilations_, before_, after_;
};

}  // namespace hpmp::cpu
