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

/// labels: [samples][pixels of a map].
Case loss_case(Shape logits, std::vector<std::int64_t> labels, double weight = 1,
               double smoothing = 0) {
  Case c;
  c.op = OpKind::loss;
  c.inputs = {logits};
  const std::int64_t pixels = logits.h * logits.w;
  c.samples = static_cast<std::int64_t>(labels.size()) / pixels;
  c.labels = labels;
  c.attrs.weight = weight;
  c.step.counted = 3 * c.samples;
  c.step.label_smoothing = smoothing;
  c.reference = [labels, pixels, smoothing](const Arrays& x, const Params&) {
    const Array p = softmax(x[0]);
    const std::int64_t classes = p.shape.c;
    Array y(p.n, {pixels == 1 ? 2 : 2 + 3 * classes, 1, 1});
    for (std::int64_t i = 0; i < p.n * pixels; ++i) {
      const std::int64_t n = i / pixels, at = i % pixels,
                         label = labels[static_cast<std::size_t>(i)];
      if (label < 0) continue;
      std::int64_t top = 0;
      for (std::int64_t k = 1; k < classes; ++k)
        top = p.at(n, k, 0, at) > p.at(n, top, 0, at) ? k : top;
      y.at(n, 0) -= (1 - smoothing) * std::log(p.at(n, label, 0, at));
      for (std::int64_t k = 0; k < classes; ++k)
        y.at(n, 0) -= smoothing / static_cast<double>(classes) * std::log(p.at(n, k, 0, at));
      y.at(n, 1) += top == label;
      if (pixels == 1) continue;
      y.at(n, 2 + label) += top == label;
      y.at(n, 2 + classes + top) += 1;
      y.at(n, 2 + 2 * classes + label) += 1;
    }
    return y;
  };
  const double share = weight / static_cast<double>(c.step.counted);
  c.fix_grad_output = [share](Array& grad) {
    std::fill(grad.data.begin(), grad.data.end(), 0.0);
    for (std::int64_t i = 0; i < grad.n; ++i) grad.at(i, 0) = share;
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
  check_case(loss_case({10, 1, 1}, {3, -1, 0, 9, 5}));
  check_case(loss_case({1000, 1, 1}, {999, 7, -1}));
  check_case(loss_case({1, 1, 1}, {0}));
}

TEST(loss_of_maps_counts_every_pixel_and_the_classes_it_meets) {
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 2 * 3 * 4; ++i) labels.push_back(i % 7 == 3 ? -1 : i * 5 % 16);
  for (std::int64_t block : blocks_of(16)) {
    Case c = loss_case({16, 3, 4}, labels, 0.4);
    c.in_block = block;
    check_case(c);
  }
}

TEST(a_smoothed_label_is_spread_over_all_classes) {
  check_case(loss_case({10, 1, 1}, {3, -1, 0, 9, 5}, 1, 0.1));
  check_case(loss_case({1000, 1, 1}, {999, 7, -1}, 0.3, 0.5));
  check_case(loss_case({7, 1, 1}, {6, 2}, 1, 1));
  check_case(loss_case({5, 3, 2}, {0, 4, -1, 2, 2, 1}, 0.4, 0.2));
}

TEST(loss_of_huge_logits_is_finite) {
  Run run(loss_case({3, 1, 1}, {0, 1}));
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
  Run run(loss_case({3, 1, 1}, {0, 1}));
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
