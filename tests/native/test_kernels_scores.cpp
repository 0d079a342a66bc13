// softmax and loss against their definitions.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

Array softmax(const Array& x) {
  Array y(x.n, x.shape);
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t p = 0; p < x.shape.h * x.shape.w; ++p) {
      double sum = 0;
      for (std::int64_t c = 0; c < x.shape.c; ++c) sum += std::exp(x.at(i, c, 0, p));
      for (std::int64_t c = 0; c < x.shape.c; ++c)
        y.at(i, c, 0, p) = std::exp(x.at(i, c, 0, p)) / sum;
    }
  }
  return y;
}

Case loss_case(std::int64_t classes, std::vector<std::int64_t> labels) {
  Case c;
  c.op = OpKind::loss;
  c.inputs = {{classes, 1, 1}};
  c.samples = static_cast<std::int64_t>(labels.size());
  c.labels = labels;
  c.step.global_batch = 3 * c.samples;
  c.reference = [labels](const Arrays& x, const Params&) {
    const Array p = softmax(x[0]);
    Array y(p.n, {2, 1, 1});
    for (std::int64_t i = 0; i < p.n; ++i) {
      const std::int64_t label = labels[static_cast<std::size_t>(i)];
      if (label < 0) continue;
      std::int64_t top = 0;
      for (std::int64_t k = 1; k < p.shape.c; ++k) top = p.at(i, k) > p.at(i, top) ? k : top;
      y.at(i, 0) = -std::log(p.at(i, label));
      y.at(i, 1) = top == label;
    }
    return y;
  };
  const double share = 1.0 / static_cast<double>(c.step.global_batch);
  c.fix_grad_output = [share](Array& grad) {
    for (std::int64_t i = 0; i < grad.n; ++i) {
      grad.at(i, 0) = share;
      grad.at(i, 1) = 0;
    }
  };
  return c;
}

}  // namespace

TEST(softmax_is_over_the_channels_of_each_pixel) {
  for (Shape s : {Shape{10, 1, 1}, Shape{16, 2, 3}, Shape{1000, 1, 1}, Shape{32, 40, 9}}) {
    Case c;
    c.op = OpKind::softmax;
    c.inputs = {s};
    c.reference = [](const Arrays& x, const Params&) { return softmax(x[0]); };
    for (std::int64_t block : blocks_of(s.c)) {
      c.in_block = c.out_block = block;
      check_case(c);
    }
  }
}

TEST(log_softmax_is_over_the_channels_of_each_pixel) {
  for (Shape s : {Shape{10, 1, 1}, Shape{16, 2, 3}, Shape{1000, 1, 1}, Shape{32, 40, 9}}) {
    Case c;
    c.op = OpKind::log_softmax;
    c.inputs = {s};
    c.reference = [](const Arrays& x, const Params&) {
      Array y = softmax(x[0]);
      for (double& v : y.data) v = std::log(v);
      return y;
    };
    for (std::int64_t block : blocks_of(s.c)) {
      c.in_block = c.out_block = block;
      Run(c).check();
    }
  }
}

TEST(loss_is_the_cross_entropy_and_ignores_minus_one) {
  check_case(loss_case(10, {3, -1, 0, 9, 5}));
  check_case(loss_case(1000, {999, 7, -1}));
  check_case(loss_case(1, {0}));
}

TEST(loss_of_huge_logits_is_finite) {
  Run run(loss_case(3, {0, 1}));
  float x[6] = {1e4f, -1e4f, 0, 3e38f, -3e38f, 0}, y[4];
  const std::int64_t labels[2] = {1, 0};
  ForwardArgs args;
  args.inputs = {{x, 2, 3, 1, 1, 3}};
  args.output = {y, 2, 2, 1, 1, 2};
  args.labels = labels;
  run.kernel->forward(args);
  CHECK_NEAR(y[0], 2e4, 1);
  CHECK_EQ(y[2], 0);
  CHECK_EQ(y[3], 1);
}

TEST(loss_never_reads_beyond_the_classes) {
  Run run(loss_case(3, {0, 1}));
  float x[6] = {}, y[4];
  const std::int64_t labels[2] = {1, 3};
  ForwardArgs args;
  args.inputs = {{x, 2, 3, 1, 1, 3}};
  args.output = {y, 2, 2, 1, 1, 2};
  args.labels = labels;
  if (!on_gpu()) CHECK_THROWS(run.kernel->forward(args), ErrorCode::internal, "labels");
  if (!on_gpu()) return;
  run.kernel->forward(args);
  CHECK(std::isfinite(y[0]) && std::isnan(y[2]));
}
