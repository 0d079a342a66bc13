// relu, clip, add, dropout, output: forward, backward, in place and accumulated.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

Case pointwise(OpKind op, Shape shape, std::size_t inputs,
               std::function<double(const std::vector<double>&)> f) {
  Case c;
  c.op = op;
  c.inputs.assign(inputs, shape);
  c.reference = [f](const Arrays& x, const Params&) {
    Array y(x[0].n, x[0].shape);
    for (std::size_t k = 0; k < y.data.size(); ++k) {
      std::vector<double> operands;
      for (const Array& a : x) operands.push_back(a.data[k]);
      y.data[k] = f(operands);
    }
    return y;
  };
  return c;
}

void check_all_blocks(Case c) {
  std::int64_t channels = c.channels.empty() ? c.inputs[0].c : total_size(c.channels);
  for (std::int64_t block : blocks_of(channels)) {
    c.in_block = c.out_block = block;
    check_case(c);
  }
}

/// 0 where nothing was dropped, for a 24-channel dropout of the given part of the batch.
std::vector<float> dropped(const Ranges& channels, std::int64_t first_sample, std::int64_t samples,
                           std::uint64_t step, std::int64_t block, bool per_sample = false) {
  Graph graph;
  graph.values.push_back({"in", {24, 5, 3}, NodeId(0)});
  Node in;
  in.op = OpKind::input;
  in.output = ValueId(0);
  graph.nodes.push_back(in);
  Attrs attrs;
  attrs.ratio = 0.25;
  attrs.per_sample = per_sample;
  add_node(graph, OpKind::dropout, "drop", {ValueId(0)}, {}, attrs, "out");
  KernelSpec spec;
  spec.graph = &graph;
  spec.node = NodeId(1);
  spec.samples = samples;
  spec.channels = channels;
  Array ones(samples, {24, 5, 3});
  std::fill(ones.data.begin(), ones.data.end(), 1.0);
  Tensor x(ones, channels, block), y(ones, channels, block);
  x.set(ones);
  ForwardArgs args;
  args.inputs = {x.ref};
  args.output = y.ref;
  args.step.seed = 7;
  args.step.step = step;
  args.step.first_sample = first_sample;
  prepare_kernel(spec)->forward(args);
  Array result(samples, {24, 5, 3});
  y.each([&](auto i, auto c, auto p, auto at) { result.at(i, c, p / 3, p % 3) = y.value(at); });
  return {result.data.begin(), result.data.end()};
}

}  // namespace

TEST(relu_agrees_with_its_definition_in_every_layout) {
  const auto relu = [](const std::vector<double>& x) { return x[0] > 0 ? x[0] : 0; };
  for (Shape s : {Shape{16, 3, 5}, Shape{13, 1, 1}, Shape{48, 14, 14}}) {
    check_all_blocks(pointwise(OpKind::relu, s, 1, relu));
  }
}

TEST(relu_keeps_nan_and_infinity) {
  Case c = pointwise(OpKind::relu, {3, 1, 1}, 1, [](auto& x) { return x[0]; });
  Run run(c);
  float x[6] = {NAN, INFINITY, -INFINITY, -1, 0, 2}, y[6];
  ForwardArgs args;
  args.inputs = {{x, 2, 3, 1, 1, 3}};
  args.output = {y, 2, 3, 1, 1, 3};
  run.kernel->forward(args);
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == INFINITY && y[2] == 0 && y[3] == 0 && y[4] == 0 && y[5] == 2);
}

TEST(clip_agrees_with_its_definition_in_every_layout) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (auto [min, max] : {std::pair{-0.5, 1.25}, {0.0, kInfinity}, {-kInfinity, 0.5}, {1.0, 1.0}}) {
    const auto clip = [low = min, high = max](const std::vector<double>& x) {
      return std::min(std::max(x[0], low), high);
    };
    for (Shape s : {Shape{16, 3, 5}, Shape{13, 1, 1}, Shape{48, 14, 14}}) {
      Case c = pointwise(OpKind::clip, s, 1, clip);
      c.attrs.min = min;
      c.attrs.max = max;
      check_all_blocks(c);
    }
  }
}

TEST(clip_keeps_nan_and_passes_no_gradient_at_its_bounds) {
  Case c = pointwise(OpKind::clip, {3, 1, 1}, 1, [](auto& x) { return x[0]; });
  c.attrs.min = 0;
  c.attrs.max = 6;
  Run run(c);
  float x[6] = {NAN, INFINITY, -INFINITY, 0, 6, 5}, y[6];
  float dy[6] = {1, 1, 1, 1, 1, 1}, dx[6];
  ForwardArgs forward;
  forward.inputs = {{x, 2, 3, 1, 1, 3}};
  forward.output = {y, 2, 3, 1, 1, 3};
  run.kernel->forward(forward);
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == 6 && y[2] == 0 && y[3] == 0 && y[4] == 6 && y[5] == 5);
  BackwardArgs backward;
  backward.output = forward.output;
  backward.grad_output = {dy, 2, 3, 1, 1, 3};
  backward.grad_inputs = {{dx, 2, 3, 1, 1, 3}};
  backward.accumulate = {false};
  run.kernel->backward(backward);
  CHECK(dx[1] == 0 && dx[2] == 0 && dx[3] == 0 && dx[4] == 0 && dx[5] == 1);
}

TEST(add_sums_any_number_of_operands) {
  const auto sum = [](const std::vector<double>& x) {
    double total = 0;
    for (double v : x) total += v;
    return total;
  };
  for (std::size_t operands : {2, 3, 5}) {
    check_all_blocks(pointwise(OpKind::add, {32, 4, 3}, operands, sum));
  }
  check_all_blocks(pointwise(OpKind::add, {7, 45, 41}, 3, sum));
  Case part = pointwise(OpKind::add, {40, 2, 2}, 2, sum);
  part.channels = {{3, 8}, {16, 35}};
  check_all_blocks(part);
}

TEST(output_copies) {
  check_all_blocks(pointwise(OpKind::output, {48, 3, 3}, 1, [](auto& x) { return x[0]; }));
}

TEST(dropout_is_the_identity_outside_training) {
  Case c = pointwise(OpKind::dropout, {16, 3, 3}, 1, [](auto& x) { return x[0]; });
  c.step.training = false;
  check_all_blocks(c);
}

TEST(dropout_masks_do_not_depend_on_the_split) {
  const std::vector<float> whole = dropped({{0, 24}}, 4, 6, 3, 8);
  const std::vector<float> samples = dropped({{0, 24}}, 6, 2, 3, 24);
  CHECK(std::equal(samples.begin(), samples.end(), whole.begin() + 2 * 24 * 15));
  const std::vector<float> channels = dropped({{2, 5}, {9, 24}}, 4, 6, 3, 1);
  for (std::size_t k = 0; k < whole.size(); ++k) {
    const std::size_t c = k / 15 % 24;
    if ((c >= 2 && c < 5) || c >= 9) CHECK_EQ(channels[k], whole[k]);
  }
  CHECK(dropped({{0, 24}}, 4, 6, 4, 8) != whole);
}

TEST(dropout_drops_the_given_ratio_and_scales_the_rest) {
  const std::vector<float> y = dropped({{0, 24}}, 0, 64, 1, 8);
  double zeros = 0;
  for (float v : y) {
    CHECK(v == 0 || std::abs(v - 4.f / 3) < 1e-6);
    zeros += v == 0;
  }
  CHECK_NEAR(zeros / static_cast<double>(y.size()), 0.25, 0.01);
}

TEST(dropout_per_sample_keeps_or_drops_whole_samples_whatever_the_split) {
  const std::vector<float> whole = dropped({{0, 24}}, 4, 64, 3, 8, true);
  double zeros = 0;
  for (std::size_t k = 0; k < whole.size(); ++k) {
    CHECK_EQ(whole[k], whole[k / 360 * 360]);
    zeros += whole[k] == 0;
  }
  CHECK_NEAR(zeros / static_cast<double>(whole.size()), 0.25, 0.15);
  const std::vector<float> part = dropped({{2, 5}}, 6, 2, 3, 1, true);
  for (std::size_t i : {0U, 1U}) CHECK_EQ(part[i * 360 + 2 * 15], whole[(i + 2) * 360]);
  CHECK(dropped({{0, 24}}, 4, 64, 4, 8, true) != whole);
}

TEST(dropout_backward_uses_the_forward_mask) {
  Case c = pointwise(OpKind::dropout, {24, 5, 3}, 1, {});
  c.attrs.ratio = 0.25;
  c.step.seed = 7;
  c.step.step = 3;
  c.step.first_sample = 4;
  c.reference = [](const Arrays& x, const Params&) {
    const std::vector<float> mask = dropped({{0, 24}}, 4, 2, 3, 24);
    Array y = x[0];
    for (std::size_t k = 0; k < y.data.size(); ++k) y.data[k] *= mask[k];
    return y;
  };
  check_all_blocks(c);
}
