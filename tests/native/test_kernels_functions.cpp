// Sigmoid to Pow, PRelu, Mul, Max, Min: forward, backward, in place and accumulated.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

using Function = std::function<double(double)>;

struct Row {
  OpKind op;
  Function f;
  double least = -4, most = 4;
  Attrs attrs = {};
};

Attrs numbers(double alpha, double beta = 0, double exponent = 1) {
  Attrs a;
  a.alpha = alpha;
  a.beta = beta;
  a.exponent = exponent;
  return a;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double held(double x) { return std::min(1.0, std::max(0.0, x)); }
double elu(double x, double alpha) { return x < 0 ? alpha * std::expm1(x) : x; }
double gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_by_tanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

std::vector<Row> rows() {
  Attrs approximate;
  approximate.approximate = true;
  return {
      {OpKind::sigmoid, sigmoid},
      {OpKind::hard_sigmoid, [](double x) { return held(0.2 * x + 0.5); }, -4, 4,
       numbers(0.2, 0.5)},
      {OpKind::hard_swish, [](double x) { return x * held(x / 6 + 0.5); }},
      {OpKind::silu, [](double x) { return x * sigmoid(x); }},
      {OpKind::leaky_relu, [](double x) { return x < 0 ? 0.125 * x : x; }, -4, 4, numbers(0.125)},
      {OpKind::elu, [](double x) { return elu(x, 0.75); }, -4, 4, numbers(0.75)},
      {OpKind::selu, [](double x) { return 1.25 * elu(x, 1.5); }, -4, 4, numbers(1.5, 1.25)},
      {OpKind::celu, [](double x) { return x < 0 ? 1.5 * std::expm1(x / 1.5) : x; }, -4, 4,
       numbers(1.5)},
      {OpKind::tanh, [](double x) { return std::tanh(x); }},
      {OpKind::softplus, [](double x) { return std::log1p(std::exp(x)); }},
      {OpKind::softsign, [](double x) { return x / (1 + std::abs(x)); }},
      {OpKind::gelu, gelu},
      {OpKind::gelu, gelu_by_tanh, -4, 4, approximate},
      {OpKind::mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {OpKind::erf, [](double x) { return std::erf(x); }},
      {OpKind::exp, [](double x) { return std::exp(x); }},
      {OpKind::log, [](double x) { return std::log(x); }, 0.25, 4},
      {OpKind::sqrt, [](double x) { return std::sqrt(x); }, 0.25, 4},
      {OpKind::abs, [](double x) { return std::abs(x); }},
      {OpKind::neg, [](double x) { return -x; }},
      {OpKind::reciprocal, [](double x) { return 1 / x; }, 0.25, 4},
      {OpKind::pow, [](double x) { return x * x; }, -4, 4, numbers(0, 0, 2)},
      {OpKind::pow, [](double x) { return std::pow(x, -1.5); }, 0.25, 4, numbers(0, 0, -1.5)},
  };
}

void check_all_blocks(Case c) {
  const std::int64_t channels = c.channels.empty() ? c.inputs[0].c : total_size(c.channels);
  for (std::int64_t block : blocks_of(channels)) {
    c.in_block = c.out_block = block;
    check_case(c);
  }
}

Case function_case(const Row& row, Shape shape) {
  Case c;
  c.op = row.op;
  c.attrs = row.attrs;
  c.inputs = {shape};
  c.least = row.least;
  c.most = row.most;
  c.kinks = {-3, -2.5, 2.5, 3};  // of hard_swish and hard_sigmoid
  c.bf16_tolerance = 1.0 / 16;   // a slope at a rounded output
  c.reference = [f = row.f](const Arrays& x, const Params&) {
    Array y = x[0];
    for (double& v : y.data) v = f(v);
    return y;
  };
  return c;
}

/// What the function makes of some numbers, without the engine's usual ranges.
std::vector<float> values(OpKind op, std::vector<float> x, Attrs attrs = {}) {
  Case c = function_case({op, {}, 0.5, 1, attrs}, {static_cast<std::int64_t>(x.size()), 1, 1});
  c.samples = 1;
  const Run run(c);
  std::vector<float> y(x.size());
  const auto channels = static_cast<std::int64_t>(x.size());
  ForwardArgs args;
  args.inputs = {{x.data(), 1, channels, 1, 1, channels}};
  args.output = {y.data(), 1, channels, 1, 1, channels};
  run.kernel->forward(args);
  return y;
}

Param slope(std::int64_t rows) { return {"slope", ParamRole::slope, {rows}, true}; }

Case prelu_case(Shape shape, std::int64_t slopes) {
  Case c;
  c.op = OpKind::prelu;
  c.inputs = {shape};
  c.params = {slope(slopes)};
  c.reference = [](const Arrays& x, const Params& p) {
    Array y = x[0];
    const std::int64_t pixels = y.shape.h * y.shape.w;
    for (std::size_t k = 0; k < y.data.size(); ++k) {
      const auto channel = static_cast<std::int64_t>(k) / pixels % y.shape.c;
      const double a = p[0][p[0].size() == 1 ? 0 : static_cast<std::size_t>(channel)];
      if (y.data[k] < 0) y.data[k] *= a;
    }
    return y;
  };
  return c;
}

Case product_case(Shape a, Shape b) {
  Case c;
  c.op = OpKind::mul;
  c.inputs = {a, b};
  c.reference = [](const Arrays& x, const Params&) {
    const bool first_is_gate = x[0].shape.h * x[0].shape.w < x[1].shape.h * x[1].shape.w;
    Array y = first_is_gate ? x[1] : x[0];
    const Array& other = first_is_gate ? x[0] : x[1];
    for (std::size_t k = 0; k < y.data.size(); ++k)
      y.data[k] *= other.data[k * other.data.size() / y.data.size()];
    return y;
  };
  return c;
}

Case extremum_case(OpKind op, std::size_t operands) {
  Case c;
  c.op = op;
  c.inputs.assign(operands, {32, 4, 3});
  c.reference = [op](const Arrays& x, const Params&) {
    Array y = x[0];
    for (const Array& other : x) {
      for (std::size_t k = 0; k < y.data.size(); ++k) {
        y.data[k] = op == OpKind::max ? std::max(y.data[k], other.data[k])
                                      : std::min(y.data[k], other.data[k]);
      }
    }
    return y;
  };
  return c;
}

}  // namespace

TEST(functions_agree_with_their_definitions_in_every_layout) {
  for (const Row& row : rows()) {
    for (Shape s : {Shape{16, 3, 5}, Shape{13, 1, 1}, Shape{48, 14, 14}})
      check_all_blocks(function_case(row, s));
  }
}

TEST(functions_are_exact_far_from_zero) {
  const std::vector<float> x{-INFINITY, -1e30F, -100, -30, 30, 100, 1e30F, INFINITY};
  const std::vector<float> one{0, 0, 0, 0, 1, 1, 1, 1};
  for (OpKind op : {OpKind::sigmoid, OpKind::tanh, OpKind::erf}) {
    const std::vector<float> y = values(op, x);
    for (std::size_t k = 0; k < x.size(); ++k)
      CHECK_NEAR(y[k], op == OpKind::sigmoid ? one[k] : 2 * one[k] - 1, 1e-6);
  }
  for (OpKind op : {OpKind::silu, OpKind::gelu, OpKind::mish, OpKind::softplus}) {
    const std::vector<float> y = values(op, {-100, -30, 30, 100, 1e30F});
    CHECK_NEAR(y[0], 0, 1e-6);
    CHECK_NEAR(y[1], 0, 1e-6);
    CHECK(y[2] == 30 && y[3] == 100 && y[4] == 1e30F);
  }
  const std::vector<float> y = values(OpKind::exp, {-INFINITY, -100, 88.5F, 89, INFINITY});
  CHECK(y[0] < 1e-37F && y[1] < 1e-37F && y[3] == INFINITY && y[4] == INFINITY);
  CHECK_NEAR(y[2] / std::exp(88.5), 1, 1e-5);
}

TEST(functions_keep_small_numbers_and_nan) {
  for (OpKind op : {OpKind::tanh, OpKind::erf, OpKind::softsign}) {
    const double slope = op == OpKind::erf ? 2 / std::sqrt(std::acos(-1.0)) : 1;
    const std::vector<float> y = values(op, {1e-6F, -1e-4F, NAN});
    CHECK_NEAR(y[0] / (slope * 1e-6F), 1, 1e-5);
    CHECK_NEAR(y[1] / (slope * -1e-4F), 1, 2e-4);
    CHECK(std::isnan(y[2]));
  }
  for (const Row& row : rows()) {
    if (row.op != OpKind::hard_sigmoid) CHECK(std::isnan(values(row.op, {NAN}, row.attrs)[0]));
  }
}

TEST(prelu_has_a_slope_per_channel_or_one_for_all) {
  for (Shape s : {Shape{16, 3, 5}, Shape{13, 1, 1}, Shape{48, 14, 14}}) {
    check_all_blocks(prelu_case(s, s.c));
    check_all_blocks(prelu_case(s, 1));
  }
  for (std::int64_t slopes : {40, 1}) {
    Case part = prelu_case({40, 2, 2}, slopes);
    part.channels = {{3, 8}, {16, 35}};
    check_all_blocks(part);
  }
}

TEST(mul_multiplies_equal_shapes) {
  check_all_blocks(product_case({32, 4, 3}, {32, 4, 3}));
  check_all_blocks(product_case({7, 45, 41}, {7, 45, 41}));
}

TEST(mul_scales_channels_by_an_operand_of_one_pixel_on_either_side) {
  for (Shape s : {Shape{32, 4, 3}, Shape{13, 15, 15}}) {
    check_all_blocks(product_case(s, {s.c, 1, 1}));
    check_all_blocks(product_case({s.c, 1, 1}, s));
  }
  Case part = product_case({40, 3, 3}, {40, 1, 1});
  part.channels = {{3, 8}, {16, 35}};
  check_all_blocks(part);
}

TEST(max_and_min_take_any_number_of_operands) {
  for (OpKind op : {OpKind::max, OpKind::min}) {
    for (std::size_t operands : {2, 3, 10}) check_all_blocks(extremum_case(op, operands));
  }
}

TEST(equal_operands_of_max_share_its_gradient) {
  Case c = extremum_case(OpKind::max, 2);
  c.samples = 1;
  c.inputs.assign(2, {2, 1, 1});
  const Run run(c);
  float a[2] = {1, 3}, b[2] = {1, 2}, dy[2] = {1, 1}, da[2], db[2];
  BackwardArgs args;
  args.inputs = {{a, 1, 2, 1, 1, 2}, {b, 1, 2, 1, 1, 2}};
  args.grad_output = {dy, 1, 2, 1, 1, 2};
  args.grad_inputs = {{da, 1, 2, 1, 1, 2}, {db, 1, 2, 1, 1, 2}};
  args.accumulate = {false, false};
  run.kernel->backward(args);
  CHECK(da[0] == 0.5F && db[0] == 0.5F && da[1] == 1 && db[1] == 0);
}
