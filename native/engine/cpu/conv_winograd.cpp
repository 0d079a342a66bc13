// Convolutions of 3 x 3 taps by Winograd's algorithm, where it is faster.
#include <omp.h>

#include <algorithm>
#include <memory>

#include "engine/cpu/conv.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/winograd.h"

namespace hpmp::cpu {
namespace {

using winograd::Code;
using winograd::Shape3x3;

class WinogradMap : public ConvMap {
 public:
  WinogradMap(const Code& code, const Shape3x3& shape, bool transposed, Bounds bounds, int threads)
      : map_(code, shape, transposed, threads), bounds_(bounds) {}

  std::size_t scratch_bytes() const override { return map_.scratch_bytes(); }
  std::size_t resident_bytes() const override { return map_.resident_bytes(); }
  void load(const float* weights) override { map_.load(weights); }
  void run(void* src, void* dst, float* bias, void* addend, std::byte* scratch) override {
    map_.run(src, dst, {bias, addend, bounds_}, scratch);
  }

 private:
  winograd::Map map_;
  Bounds bounds_;
};

/// bias[channel] += the sum of x over samples and pixels; x in blocks of `lanes` channels.
template <class T>
void add_bias_grad(const Shape3x3& s, int lanes, const T* x, float* bias) {
  const std::int64_t blocks = s.out_channels / lanes;
  const std::int64_t pixels = static_cast<std::int64_t>(s.out_height) * s.out_width;
  parallel_for(blocks, true, [&](std::int64_t block) {
    float total[kLanes] = {};
    for (std::int64_t i = 0; i < s.samples; ++i) {
      const T* at = x + (i * blocks + block) * pixels * lanes;
      with_width(lanes, [&](auto width) {
        float sum[kLanes] = {};
        for (std::int64_t p = 0; p < pixels; ++p, at += width) {
#pragma omp simd
          for (int j = 0; j < width; ++j) sum[j] += at[j];
        }
        for (int j = 0; j < width; ++j) total[j] += sum[j];
      });
    }
    for (int j = 0; j < lanes; ++j) bias[block * lanes + j] += total[j];
  });
}

class WinogradParamGrad : public ConvParamGrad {
 public:
  WinogradParamGrad(const Code& code, const Shape3x3& shape, int threads)
      : shape_(shape), lanes_(code.lanes), dtype_(code.dtype), weights_(code, shape, threads) {}

  std::size_t scratch_bytes() const override { return weights_.scratch_bytes(); }
  void run(void* src, void* grad_dst, float* weights, float* bias, std::byte* scratch) override {
    if (weights) weights_.run(src, grad_dst, weights, scratch);
    if (!bias) return;
    with_storage(dtype_, [&](auto stored) {
      add_bias_grad(shape_, lanes_, static_cast<const decltype(stored)*>(grad_dst), bias);
    });
  }

 private:
  Shape3x3 shape_;
  int lanes_;
  DType dtype_;
  winograd::WeightGrad weights_;
};

/// Whether the op is one that Winograd's algorithm computes, in blocks that its code takes.
bool applies(const KernelSpec& spec) {
  const Attrs& a = node_of(spec).attrs;
  const bool plain = a.groups == 1 && a.kernel[0] == 3 && a.kernel[1] == 3 && a.strides[0] == 1 &&
                     a.strides[1] == 1 && a.dilations[0] == 1 && a.dilations[1] == 1;
  const std::int64_t block = input_block(spec);
  return plain && a.pads[0] <= 2 && a.pads[1] <= 2 && output_block(spec) == block &&
         winograd::code_for(block, spec.dtype) != nullptr && spec.input_shapes[0].c % block == 0 &&
         spec.output_shape.c % block == 0;
}

Shape3x3 shape_of(const KernelSpec& spec) {
  const Attrs& a = node_of(spec).attrs;
  const Shape &in = spec.input_shapes[0], &out = spec.output_shape;
  Shape3x3 s;
  s.samples = spec.samples;
  s.in_channels = in.c;
  s.out_channels = out.c;
  s.in_height = static_cast<int>(in.h);
  s.in_width = static_cast<int>(in.w);
  s.out_height = static_cast<int>(out.h);
  s.out_width = static_cast<int>(out.w);
  s.pad_top = static_cast<int>(a.pads[0]);
  s.pad_left = static_cast<int>(a.pads[1]);
  return s;
}

/// Taps of all output pixels along one direction that are inside of the image.
double taps(int in, int out, int pad) {
  double count = 0;
  for (int tap = 0; tap < 3; ++tap)
    count += std::max(0, std::min(out, in + pad - tap) - std::max(0, pad - tap));
  return count;
}

// Costs in multiply-adds of the products' inner loop, measured on AVX-512: a channel of a tile that
// is transformed, and a weight that is transformed once and read in each point.
constexpr double kTransform = 500, kWeight = 1200;

/// Transforms and weights cost more than the multiplications that they save where channels are few
/// or there are too few tiles for the weights.
bool pays(const Shape3x3& s) {
  const double samples = static_cast<double>(s.samples);
  const double in = static_cast<double>(s.in_channels), out = static_cast<double>(s.out_channels);
  const double direct = samples * taps(s.in_height, s.out_height, s.pad_top) *
                        taps(s.in_width, s.out_width, s.pad_left) * in * out;
  const auto tiles = static_cast<double>(winograd::Tiles(s, 1).total());
  const double products = tiles * winograd::kPoints * in * out;
  return products + tiles * kTransform * (in + out) + kWeight * in * out < direct;
}

}  // namespace

void add_winograd_passes(const KernelSpec& spec, const ConvTail& tail, ConvPasses& passes) {
  if (!applies(spec)) return;
  const Shape3x3 shape = shape_of(spec), back = shape.transposed();
  const Code& code = *winograd::code_for(input_block(spec), spec.dtype);
  const int threads = static_cast<int>(thread_count());
  const bool forward = pays(shape);
  if (forward)
    passes.forward = std::make_unique<WinogradMap>(code, shape, false, tail.bounds, threads);
  if (!spec.training) return;
  if (forward) passes.backward_params = std::make_unique<WinogradParamGrad>(code, shape, threads);
  if (spec.input_gradient && pays(back)) {
    passes.backward_data =
        std::make_unique<WinogradMap>(code, back, true, bounds_of(spec, NodeId()), threads);
  }
}

}  // namespace hpmp::cpu
