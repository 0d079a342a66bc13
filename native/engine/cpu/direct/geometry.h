// The geometry of a rank's part of a convolution, as oneDNN sees it.
#pragma once

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
