// batch_norm, affine and lrn against their definitions, for whole tensors and for channel subsets.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

Param channel_param(const char* name, ParamRole role, std::int64_t channels) {
  return {name, role, {channels}, true};
}

Case norm_case(Shape shape, std::int64_t samples, std::int64_t group) {
  Case c;
  c.op = OpKind::batch_norm;
  c.inputs = {shape};
  c.samples = samples;
  c.bn_group = group;
  c.attrs.epsilon = 1e-3;
  c.params = {channel_param("scale", ParamRole::scale, shape.c),
              channel_param("shift", ParamRole::shift, shape.c),
              channel_param("mean", ParamRole::running_mean, shape.c),
              channel_param("var", ParamRole::running_var, shape.c)};
  c.step.statistics_weight = static_cast<double>(group) / (2.0 * static_cast<double>(samples));
  return c;
}

struct Moments {
  double mean = 0, variance = 0;
};

Moments moments(const Array& x, std::int64_t first, std::int64_t group, std::int64_t c) {
  const std::int64_t pixels = x.shape.h * x.shape.w;
  const double count = static_cast<double>(group * pixels);
  Moments m;
  for (std::int64_t i = first; i < first + group; ++i) {
    for (std::int64_t p = 0; p < pixels; ++p) m.mean += x.at(i, c, 0, p) / count;
  }
  for (std::int64_t i = first; i < first + group; ++i) {
    for (std::int64_t p = 0; p < pixels; ++p) {
      m.variance += (x.at(i, c, 0, p) - m.mean) * (x.at(i, c, 0, p) - m.mean) / count;
    }
  }
  return m;
}

Array normalised(const Array& x, const Params& params, const Case& c) {
  Array y(x.n, x.shape);
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t k = 0; k < x.shape.c; ++k) {
      const auto at = static_cast<std::size_t>(k);
      Moments m{params[2][at], params[3][at]};
      if (c.step.training) m = moments(x, i / c.bn_group * c.bn_group, c.bn_group, k);
      for (std::int64_t p = 0; p < x.shape.h * x.shape.w; ++p) {
        y.at(i, k, 0, p) =
            (x.at(i, k, 0, p) - m.mean) / std::sqrt(m.variance + c.attrs.epsilon) * params[0][at] +
            params[1][at];
      }
    }
  }
  return y;
}

void check_norm(Case c) {
  const Case copy = c;
  c.reference = [copy](const Arrays& x, const Params& p) { return normalised(x[0], p, copy); };
  const std::int64_t channels = c.channels.empty() ? c.inputs[0].c : total_size(c.channels);
  for (std::int64_t block : blocks_of(channels)) {
    c.in_block = c.out_block = block;
    check_case(c);
  }
}

/// A batch_norm with an add, a relu or a clip behind it.
Case link_case(bool adds, OpKind bound, Shape shape, bool training) {
  Case c = norm_case(shape, 4, 2);
  c.step.training = training;
  Attrs attrs;
  if (bound == OpKind::clip) attrs.min = -0.375;
  if (bound == OpKind::clip) attrs.max = 0.625;  // which bf16 holds
  if (adds) c.inputs.push_back(shape);
  if (adds) c.fused.push_back({OpKind::add, {}});
  if (bound != OpKind::identity) c.fused.push_back({bound, attrs});
  const Case norm = c;
  c.reference = [=](const Arrays& x, const Params& p) {
    Array y = normalised(x[0], p, norm);
    for (std::size_t k = 0; k < y.data.size(); ++k) {
      if (adds) y.data[k] += x[1].data[k];
      if (bound == OpKind::relu) y.data[k] = std::max(y.data[k], 0.0);
      if (bound == OpKind::clip) y.data[k] = std::clamp(y.data[k], attrs.min, attrs.max);
    }
    return y;
  };
  return c;
}

void check_link(bool adds, OpKind bound, Shape shape, const Ranges& channels = {}) {
  for (bool training : {true, false}) {
    Case c = link_case(adds, bound, shape, training);
    c.channels = channels;
    for (std::int64_t block : blocks_of(channels.empty() ? shape.c : total_size(channels))) {
      c.in_block = c.out_block = block;
      // Behind an add the bounds are found in the output, which rounding takes to one in bf16.
      if (adds && bound == OpKind::clip)
        Run(c).check();
      else
        check_case(c);
    }
  }
}

Case lrn_case(Shape shape, std::int64_t size, Ranges channels, double beta = 0.75) {
  Case c;
  c.op = OpKind::lrn;
  c.inputs = {shape};
  c.channels = channels;
  c.attrs.size = size;
  c.attrs.beta = beta;
  c.attrs.alpha = 0.3;
  c.attrs.bias = 1.5;
  const Attrs a = c.attrs;
  c.reference = [a](const Arrays& in, const Params&) {
    const Array& x = in[0];
    Array y(x.n, x.shape);
    for (std::int64_t i = 0; i < x.n; ++i) {
      for (std::int64_t p = 0; p < x.shape.h * x.shape.w; ++p) {
        for (std::int64_t k = 0; k < x.shape.c; ++k) {
          double sum = 0;
          const std::int64_t low = std::max<std::int64_t>(0, k - (a.size - 1) / 2);
          const std::int64_t high = std::min(x.shape.c - 1, k + a.size / 2);
          for (std::int64_t j = low; j <= high; ++j) sum += x.at(i, j, 0, p) * x.at(i, j, 0, p);
          const double scale = a.bias + a.alpha / static_cast<double>(a.size) * sum;
          y.at(i, k, 0, p) = x.at(i, k, 0, p) * std::pow(scale, -a.beta);
        }
      }
    }
    return y;
  };
  return c;
}

Case affine_case(Shape shape, bool scale, bool shift) {
  Case c;
  c.op = OpKind::affine;
  c.inputs = {shape};
  c.attrs.has_scale = scale;
  c.attrs.has_shift = shift;
  if (scale) c.params.push_back(channel_param("scale", ParamRole::scale, shape.c));
  if (shift) c.params.push_back(channel_param("shift", ParamRole::shift, shape.c));
  c.reference = [scale, shift](const Arrays& x, const Params& p) {
    Array y(x[0].n, x[0].shape);
    for (std::size_t k = 0; k < y.data.size(); ++k) {
      const std::size_t c =
          k / static_cast<std::size_t>(y.shape.h * y.shape.w) % static_cast<std::size_t>(y.shape.c);
      y.data[k] = x[0].data[k] * (scale ? p[0][c] : 1) + (shift ? p.back()[c] : 0);
    }
    return y;
  };
  return c;
}

}  // namespace

TEST(batch_norm_uses_the_statistics_of_each_group) {
  check_norm(norm_case({16, 3, 5}, 4, 2));
  check_norm(norm_case({16, 3, 5}, 4, 4));
  check_norm(norm_case({13, 4, 4}, 6, 3));
  check_norm(norm_case({24, 1, 1}, 8, 8));
  check_norm(norm_case({40, 20, 11}, 3, 3));
}

TEST(batch_norm_of_some_channels_is_that_of_the_whole) {
  Case c = norm_case({48, 3, 3}, 4, 2);
  c.channels = {{0, 5}, {16, 27}};
  check_norm(c);
}

TEST(batch_norm_with_running_statistics_treats_them_as_constants) {
  Case c = norm_case({16, 3, 5}, 4, 2);
  c.step.training = false;
  check_norm(c);
}

TEST(a_batch_norm_with_what_is_fused_behind_it_is_their_sequence) {
  for (OpKind bound : {OpKind::identity, OpKind::relu, OpKind::clip}) {
    for (bool adds : {false, true}) {
      check_link(adds, bound, {16, 3, 5});
      check_link(adds, bound, {13, 4, 4});
      check_link(adds, bound, {40, 20, 11});
      check_link(adds, bound, {48, 3, 3}, {{0, 5}, {16, 27}});
    }
  }
}

TEST(batch_norm_adds_its_share_to_the_running_statistics) {
  Case c = norm_case({24, 3, 3}, 6, 2);
  c.channels = {{3, 21}};
  Arrays seen;
  const Case copy = c;
  c.reference = [&seen, copy](const Arrays& x, const Params& p) {
    seen = x;
    return normalised(x[0], p, copy);
  };
  Run run(c);
  run.check_forward(false);
  for (std::int64_t k = 3; k < 21; ++k) {
    Moments sum;
    for (std::int64_t g = 0; g < 6; g += 2) {
      sum.mean += moments(seen[0], g, 2, k).mean;
      sum.variance += moments(seen[0], g, 2, k).variance;
    }
    const double weight = c.step.statistics_weight * 0.1;
    const auto full = static_cast<std::size_t>(k), at = static_cast<std::size_t>(k - 3);
    CHECK_NEAR(run.param(2)[at], run.full_param(2)[full] + weight * sum.mean, 1e-6);
    CHECK_NEAR(run.param(3)[at], run.full_param(3)[full] + weight * sum.variance, 1e-6);
  }
}

TEST(batch_norm_survives_a_mean_far_above_the_deviation) {
  Case c = norm_case({16, 16, 16}, 2, 2);
  Run run(c);
  std::vector<float> x(2 * 16 * 256), y(x.size()), scale(16, 1), zero(16), mean(16), var(16);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = 10000 + static_cast<float>(k / 16 % 2);
  Memory saved(2 * 16 * 4), scratch(run.kernel->scratch_bytes());
  ForwardArgs args;
  args.inputs = {{x.data(), 2, 16, 16, 16, 16}};
  args.output = {y.data(), 2, 16, 16, 16, 16};
  args.params = {scale.data(), zero.data(), mean.data(), var.data()};
  args.saved = saved.data();
  args.scratch = scratch.data();
  args.step.statistics_weight = 1;
  run.kernel->forward(args);
  CHECK_NEAR(var[0], 0.025, 1e-6);
  CHECK_NEAR(std::abs(y[0]), 0.5 / std::sqrt(0.251), 1e-3);
}

TEST(affine_scales_and_shifts_what_it_has) {
  for (bool scale : {false, true}) {
    for (bool shift : {false, true}) {
      if (!scale && !shift) continue;
      for (Shape s : {Shape{16, 3, 5}, Shape{21, 2, 2}, Shape{33, 24, 11}}) {
        Case c = affine_case(s, scale, shift);
        for (std::int64_t block : blocks_of(s.c)) {
          c.in_block = c.out_block = block;
          check_case(c);
        }
      }
    }
  }
}

TEST(affine_of_some_channels_uses_their_rows) {
  Case c = affine_case({32, 3, 5}, true, true);
  c.channels = {{2, 9}, {20, 29}};
  check_case(c);
}

TEST(lrn_windows_cross_the_cut_and_stop_at_the_ends) {
  for (std::int64_t size : {1, 3, 4, 5}) {
    check_case(lrn_case({16, 2, 3}, size, {}));
    check_case(lrn_case({32, 2, 3}, size, {{0, 16}}));
    check_case(lrn_case({32, 2, 3}, size, {{5, 8}, {9, 10}, {20, 32}}));
  }
  check_case(lrn_case({2, 2, 3}, 5, {}));
  check_case(lrn_case({40, 21, 11}, 5, {{8, 40}}));
}

TEST(lrn_takes_any_exponent_and_layout) {
  Case c = lrn_case({32, 2, 3}, 3, {}, 0.6);
  for (std::int64_t in : blocks_of(32)) {
    for (std::int64_t out : blocks_of(32)) {
      c.in_block = in;
      c.out_block = out;
      check_case(c);
    }
  }
}
