// layer_norm against its definition: every pixel normalised over its channels.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

constexpr double kEpsilon = 1e-3;

Param channel_param(const char* name, ParamRole role, std::int64_t channels) {
  return {name, role, {channels}, true};
}

Array normalised(const Array& x, const std::vector<double>* scale,
                 const std::vector<double>* shift) {
  Array y(x.n, x.shape);
  const auto channels = static_cast<double>(x.shape.c);
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t p = 0; p < x.shape.h * x.shape.w; ++p) {
      double mean = 0, variance = 0;
      for (std::int64_t c = 0; c < x.shape.c; ++c) mean += x.at(i, c, 0, p) / channels;
      for (std::int64_t c = 0; c < x.shape.c; ++c)
        variance += std::pow(x.at(i, c, 0, p) - mean, 2) / channels;
      for (std::int64_t c = 0; c < x.shape.c; ++c) {
        const auto k = static_cast<std::size_t>(c);
        const double normal = (x.at(i, c, 0, p) - mean) / std::sqrt(variance + kEpsilon);
        y.at(i, c, 0, p) = normal * (scale ? (*scale)[k] : 1) + (shift ? (*shift)[k] : 0);
      }
    }
  }
  return y;
}

Case layer_norm_case(Shape shape, bool has_scale, bool has_shift) {
  Case c;
  c.op = OpKind::layer_norm;
  c.attrs.epsilon = kEpsilon;
  c.attrs.has_scale = has_scale;
  c.attrs.has_shift = has_shift;
  c.inputs = {shape};
  c.tolerance = 5e-5;
  if (has_scale) c.params.push_back(channel_param("scale", ParamRole::scale, shape.c));
  if (has_shift) c.params.push_back(channel_param("shift", ParamRole::shift, shape.c));
  c.reference = [=](const Arrays& x, const Params& p) {
    return normalised(x[0], has_scale ? &p[0] : nullptr, has_shift ? &p.back() : nullptr);
  };
  return c;
}

}  // namespace

TEST(layer_norm_agrees_with_its_definition_in_every_layout) {
  for (Shape s : {Shape{16, 3, 5}, Shape{13, 1, 1}, Shape{48, 14, 14}, Shape{40, 2, 2}}) {
    for (std::int64_t block : blocks_of(s.c)) {
      Case c = layer_norm_case(s, true, true);
      c.in_block = c.out_block = block;
      Run(c).check();
    }
  }
}

TEST(layer_norm_scales_and_shifts_with_what_it_has) {
  Run(layer_norm_case({32, 2, 3}, true, false)).check();
  Run(layer_norm_case({32, 2, 3}, false, true)).check();
  Run(layer_norm_case({32, 2, 3}, false, false)).check();
}

TEST(layer_norm_survives_a_mean_far_above_the_deviation) {
  Case c = layer_norm_case({64, 2, 2}, true, true);
  c.least = 1000;
  c.most = 1004;
  c.tolerance = 2e-3;  // of float32 numbers of 1000, a unit in the last place is 6e-5
  Run(c).check_forward(false);
}
