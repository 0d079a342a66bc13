// Convolutions of 3 x 3 taps by Winograd's algorithm, where it is faster.
#include <omp.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "engine/cpu/conv.h"
#include "engine/cpu/isa.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/winograd.h"
#include "engine/cpu/winograd2/winograd2.h"

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

/// The same with tiles of 2 x 2 and bf16 products.
class SmallTileMap : public ConvMap {
 public:
  SmallTileMap(const Shape3x3& shape, bool transposed, Bounds bounds)
      : map_(shape, transposed), bounds_(bounds) {}

  std::size_t scratch_bytes() const override { return map_.scratch_bytes(); }
  std::size_t resident_bytes() const override { return map_.resident_bytes(); }
  void load(const float* weights) override { map_.load(weights); }
  void run(void* src, void* dst, float* bias, void* addend, std::byte* scratch) override {
    map_.run(static_cast<const Bf16*>(src), static_cast<Bf16*>(dst), {bias, addend, bounds_},
             scratch);
  }

 private:
  winograd2::Map map_;
  Bounds bounds_;
};

class SmallTileParamGrad : public ConvParamGrad {
 public:
  SmallTileParamGrad(const Shape3x3& shape, int threads)
      : shape_(shape), weights_(shape, threads) {}

  std::size_t scratch_bytes() const override { return weights_.scratch_bytes(); }
  void run(void* src, void* grad_dst, float* weights, float* bias, std::byte* scratch) override {
    const auto* dy = static_cast<const Bf16*>(grad_dst);
    if (weights) weights_.run(static_cast<const Bf16*>(src), dy, weights, scratch);
    if (bias) add_bias_grad(shape_, winograd2::kLanes, dy, bias);
  }

 private:
  Shape3x3 shape_;
  winograd2::WeightGrad weights_;
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

enum class Way { direct, tiles4, tiles2 };

/// Costs in multiply-adds of the fp32 products' inner loop, measured on AVX-512: of a multiply-add,
/// of a channel of a tile that is transformed, and of a weight that is transformed and read. An
/// infinite cost: there is no such code.
struct Costs {
  double product, transform, weight;
};

/// Of one pass: by oneDNN, and with tiles of 4 x 4, where products cost more if the weights do not
/// fit the cache, and of 2 x 2.
struct PassCosts {
  Costs direct, large;
  double large_uncached;
  Costs small;
};

constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr PassCosts kFp32{{1, 0, 0}, {1, 500, 1200}, 1, {kNone, 0, 0}};
// oneDNN multiplies bf16 twice as fast as fp32, and so do tiles of 2 x 2.
constexpr Costs kLargeBf16{1, 450, 450}, kSmallMap{0.48, 150, 600}, kSmallGrad{0.54, 182, 1000};
constexpr PassCosts kForward{{0.46, 0, 450}, kLargeBf16, 1.2, kSmallMap};
constexpr PassCosts kBackward{{0.47, 0, 450}, kLargeBf16, 1.2, kSmallMap};
constexpr PassCosts kWeights{{0.62, 0, 0}, kLargeBf16, 1.2, kSmallGrad};

/// Per pair of channels; the taps that are inside of the image.
double direct_products(const Shape3x3& s) {
  return static_cast<double>(s.samples) * taps(s.in_height, s.out_height, s.pad_top) *
         taps(s.in_width, s.out_width, s.pad_left);
}

double cost_of(const Shape3x3& s, const Costs& costs, double products, std::int64_t tiles) {
  const double in = static_cast<double>(s.in_channels), out = static_cast<double>(s.out_channels);
  return (products * costs.product + costs.weight) * in * out +
         static_cast<double>(tiles) * costs.transform * (in + out);
}

/// Transforms and weights cost more than the multiplications that they save where channels are few
/// or there are too few tiles for the weights; large tiles are wasted on small images.
Way fastest(const Shape3x3& s, const PassCosts& costs, int lanes) {
  const std::int64_t large_tiles = winograd::Tiles(s, 1).total();
  const std::int64_t small_tiles = winograd2::Tiles(s, 1).total();
  const double uncached = winograd::Map::keeps_weights(s, lanes) ? 1 : costs.large_uncached;
  const double direct = cost_of(s, costs.direct, direct_products(s), 0);
  const double large = cost_of(
      s, costs.large, static_cast<double>(large_tiles) * winograd::kPoints * uncached, large_tiles);
  const double small =
      cost_of(s, costs.small, static_cast<double>(small_tiles) * winograd2::kPoints, small_tiles);
  if (small < std::min(large, direct)) return Way::tiles2;
  return large < direct ? Way::tiles4 : Way::direct;
}

PassCosts costs_of(const KernelSpec& spec, PassCosts bf16) {
  if (spec.dtype == DType::fp32) return kFp32;
  if (!has_avx512_bf16()) bf16.small.product = kNone;
  return bf16;
}

std::unique_ptr<ConvMap> make_map(Way way, const Code& code, const Shape3x3& shape, bool transposed,
                                  Bounds bounds, int threads) {
  if (way == Way::tiles2) return std::make_unique<SmallTileMap>(shape, transposed, bounds);
  if (way == Way::tiles4)
    return std::make_unique<WinogradMap>(code, shape, transposed, bounds, threads);
  return nullptr;
}

std::unique_ptr<ConvParamGrad> make_param_grad(Way way, const Code& code, const Shape3x3& shape,
                                               int threads) {
  if (way == Way::tiles2) return std::make_unique<SmallTileParamGrad>(shape, threads);
  if (way == Way::tiles4) return std::make_unique<WinogradParamGrad>(code, shape, threads);
  return nullptr;
}

}  // namespace

void add_winograd_passes(const KernelSpec& spec, const ConvTail& tail, ConvPasses& passes) {
  if (!applies(spec)) return;
  const Shape3x3 shape = shape_of(spec), back = shape.transposed();
  const Code& code = *winograd::code_for(input_block(spec), spec.dtype);
  const int threads = static_cast<int>(thread_count());
  const auto way = [&](const Shape3x3& s, const PassCosts& costs) {
    return fastest(s, costs_of(spec, costs), code.lanes);
  };
  passes.forward = make_map(way(shape, kForward), code, shape, false, tail.bounds, threads);
  if (!spec.training) return;
  passes.backward_params = make_param_grad(way(shape, kWeights), code, shape, threads);
  if (!spec.input_gradient) return;
  passes.backward_data =
      make_map(way(back, kBackward), code, back, true, bounds_of(spec, NodeId()), threads);
}

}  // namespace hpmp::cpu
