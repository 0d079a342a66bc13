// The pools against PyTorch's and ONNX's rules for padding, ceil_mode and dilation.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

/// reduce(values inside the input, taps inside the padded input).
template <class Reduce>
Array pooled(const Array& x, const Shape& out, const Attrs& a, const Reduce& reduce) {
  Array y(x.n, out);
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t c = 0; c < out.c; ++c) {
      for (std::int64_t h = 0; h < out.h; ++h) {
        for (std::int64_t w = 0; w < out.w; ++w) {
          std::vector<double> values;
          double padded = 0;
          for (std::int64_t r = 0; r < a.kernel[0]; ++r) {
            for (std::int64_t s = 0; s < a.kernel[1]; ++s) {
              const std::int64_t ih = h * a.strides[0] - a.pads[0] + r * a.dilations[0];
              const std::int64_t iw = w * a.strides[1] - a.pads[1] + s * a.dilations[1];
              padded += ih < x.shape.h + a.pads[2] && iw < x.shape.w + a.pads[3];
              if (ih < 0 || iw < 0 || ih >= x.shape.h || iw >= x.shape.w) continue;
              values.push_back(x.at(i, c, ih, iw));
            }
          }
          y.at(i, c, h, w) = reduce(values, padded);
        }
      }
    }
  }
  return y;
}

Case pool_case(OpKind op, Shape in, const Attrs& a) {
  Case c;
  c.op = op;
  c.inputs = {in};
  c.attrs = a;
  c.reference = [op, a](const Arrays& x, const Params&) {
    Graph graph;
    graph.values.push_back({"in", x[0].shape, NodeId(0)});
    graph.nodes.push_back({});
    const Shape out = graph.shape(add_node(graph, op, "p", {ValueId(0)}, {}, a, "out"));
    return pooled(x[0], out, a, [&](const std::vector<double>& values, double padded) {
      double top = -1e30, sum = 0;
      for (double v : values) {
        top = std::max(top, v);
        sum += v;
      }
      if (op == OpKind::max_pool) return top;
      return sum / (a.count_include_pad ? padded : static_cast<double>(values.size()));
    });
  };
  return c;
}

/// Distinct values, so that differences do not meet a tie; a tie's winner is the first.
void check_all_blocks(Case c) {
  const std::int64_t channels = c.channels.empty() ? c.inputs[0].c : total_size(c.channels);
  for (std::int64_t block : blocks_of(channels)) {
    c.in_block = c.out_block = block;
    check_case(c);
  }
}

std::vector<Attrs> windows() {
  std::vector<Attrs> all;
  for (bool ceil_mode : {false, true}) {
    for (bool include : {false, true}) {
      Attrs a;
      a.ceil_mode = ceil_mode;
      a.count_include_pad = include;
      a.kernel = {2, 2};
      a.strides = {2, 2};
      all.push_back(a);
      a.kernel = {3, 3};
      all.push_back(a);
      a.pads = {1, 1, 1, 1};
      all.push_back(a);
      a.pads = {0, 1, 2, 0};
      a.kernel = {3, 2};
      all.push_back(a);
      a.strides = {1, 3};
      a.dilations = {2, 1};
      all.push_back(a);
    }
  }
  return all;
}

}  // namespace

TEST(max_pool_agrees_with_its_definition) {
  for (const Attrs& a : windows()) {
    for (Shape s : {Shape{16, 6, 7}, Shape{5, 8, 5}}) {
      check_all_blocks(pool_case(OpKind::max_pool, s, a));
    }
  }
  check_all_blocks(pool_case(OpKind::max_pool, {40, 23, 19}, windows()[2]));
}

TEST(max_pool_of_what_a_relu_or_clip_held_is_one_link) {
  for (OpKind bound : {OpKind::relu, OpKind::clip}) {
    for (const Attrs& a : windows()) {
      for (Shape s : {Shape{16, 6, 7}, Shape{5, 8, 5}}) {
        Case c = pool_case(OpKind::max_pool, s, a);
        const auto pool = c.reference;
        c.op = bound;
        c.attrs = {};
        c.attrs.min = bound == OpKind::relu ? 0 : -0.5;
        if (bound == OpKind::clip) c.attrs.max = 1.5;
        c.fused = {{OpKind::max_pool, a}};
        const Attrs bounds = c.attrs;
        c.reference = [=](const Arrays& x, const Params& p) {
          Arrays held = x;
          for (double& v : held[0].data) v = std::clamp(v, bounds.min, bounds.max);
          return pool(held, p);
        };
        check_all_blocks(c);
      }
    }
  }
}

TEST(average_pool_divides_by_the_right_count) {
  for (const Attrs& a : windows()) {
    for (Shape s : {Shape{16, 6, 7}, Shape{5, 8, 5}}) {
      check_all_blocks(pool_case(OpKind::average_pool, s, a));
    }
  }
  check_all_blocks(pool_case(OpKind::average_pool, {40, 23, 19}, windows()[2]));
}

TEST(pools_take_some_channels) {
  for (OpKind op : {OpKind::max_pool, OpKind::average_pool}) {
    Case c = pool_case(op, {32, 6, 6}, windows()[2]);
    c.channels = {{1, 4}, {16, 29}};
    check_all_blocks(c);
  }
}

TEST(max_pool_propagates_nan_and_needs_no_saved_memory_in_inference) {
  Attrs a;
  a.kernel = a.strides = {2, 2};
  Run run(pool_case(OpKind::max_pool, {1, 2, 4}, a));
  float x[16] = {1,   NAN, 3,         4,         5, 6, 7,         8,
                 NAN, 1,   -INFINITY, -INFINITY, 2, 3, -INFINITY, -INFINITY};
  float y[4];
  ForwardArgs args;
  args.inputs = {{x, 2, 1, 2, 4, 1}};
  args.output = {y, 2, 1, 1, 2, 1};
  run.kernel->forward(args);
  CHECK(std::isnan(y[0]));
  CHECK_EQ(y[1], 8);
  CHECK(std::isnan(y[2]));
  CHECK(y[3] == -INFINITY);
}

TEST(global_average_pool_is_the_mean) {
  for (Shape s : {Shape{16, 7, 7}, Shape{10, 1, 1}, Shape{40, 30, 5}}) {
    Case c;
    c.op = OpKind::global_average_pool;
    c.inputs = {s};
    c.reference = [](const Arrays& x, const Params&) {
      const Shape in = x[0].shape;
      Array y(x[0].n, {in.c, 1, 1});
      for (std::size_t k = 0; k < x[0].data.size(); ++k) {
        const std::size_t pixels = static_cast<std::size_t>(in.h * in.w);
        y.data[k / pixels] += x[0].data[k] / static_cast<double>(pixels);
      }
      return y;
    };
    check_all_blocks(c);
  }
}
