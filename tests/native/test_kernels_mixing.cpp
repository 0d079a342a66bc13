// conv and dense against their definitions, in every pair of layouts.
#include <numeric>

#include "engine/cpu/dense.h"
#include "kernel_case.h"

using namespace kernel_test;

namespace {

struct ConvShape {
  Shape in;
  std::int64_t out, groups, kernel, stride, pad, dilation;
};

Array convolved(const Array& x, const Params& params, const Case& c) {
  const Attrs& a = c.attrs;
  const std::vector<std::int64_t>& w = c.params[0].dims;
  const auto extent = [&](std::int64_t in, std::size_t axis) {
    const std::int64_t reach = (a.kernel[axis] - 1) * a.dilations[axis] + 1;
    return (in + a.pads[axis] + a.pads[axis + 2] - reach) / a.strides[axis] + 1;
  };
  Array y(x.n, {w[0], extent(x.shape.h, 0), extent(x.shape.w, 1)});
  const std::int64_t per_group = w[0] / a.groups;
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t k = 0; k < w[0]; ++k) {
      for (std::int64_t h = 0; h < y.shape.h; ++h) {
        for (std::int64_t v = 0; v < y.shape.w; ++v) {
          double sum = params.size() > 1 ? params[1][static_cast<std::size_t>(k)] : 0;
          for (std::int64_t ci = 0; ci < w[1]; ++ci) {
            for (std::int64_t r = 0; r < w[2]; ++r) {
              for (std::int64_t s = 0; s < w[3]; ++s) {
                const std::int64_t ih = h * a.strides[0] - a.pads[0] + r * a.dilations[0];
                const std::int64_t iw = v * a.strides[1] - a.pads[1] + s * a.dilations[1];
                if (ih < 0 || iw < 0 || ih >= x.shape.h || iw >= x.shape.w) continue;
                sum += x.at(i, k / per_group * w[1] + ci, ih, iw) *
                       params[0][static_cast<std::size_t>(((k * w[1] + ci) * w[2] + r) * w[3] + s)];
              }
            }
          }
          y.at(i, k, h, v) = sum;
        }
      }
    }
  }
  return y;
}

Case conv_case(const ConvShape& s, bool bias) {
  Case c;
  c.op = OpKind::conv;
  c.inputs = {s.in};
  c.attrs.groups = s.groups;
  c.attrs.kernel = {s.kernel, s.kernel};
  c.attrs.strides = {s.stride, s.stride};
  c.attrs.dilations = {s.dilation, s.dilation};
  c.attrs.pads = {s.pad, s.pad, s.pad, s.pad};
  c.params = {{"w", ParamRole::weight, {s.out, s.in.c / s.groups, s.kernel, s.kernel}, true}};
  if (bias) c.params.push_back({"b", ParamRole::bias, {s.out}, true});
  return c;
}

void check_conv(Case c, std::int64_t in_block = 0, std::int64_t out_block = 0) {
  const Case copy = c;
  c.reference = [copy](const Arrays& x, const Params& p) { return convolved(x[0], p, copy); };
  c.in_block = in_block;
  c.out_block = out_block;
  c.tolerance = 1e-4;
  c.differences = 6;
  check_case(c);
}

void check_dense(std::int64_t in, std::int64_t out, std::int64_t samples, bool bias,
                 Ranges channels) {
  Case c;
  c.op = OpKind::dense;
  c.inputs = {{in, 1, 1}};
  c.samples = samples;
  c.channels = channels;
  c.params = {{"w", ParamRole::weight, {out, in}, true}};
  if (bias) c.params.push_back({"b", ParamRole::bias, {out}, true});
  c.tolerance = 1e-4;
  c.reference = [out, in](const Arrays& x, const Params& p) {
    Array y(x[0].n, {out, 1, 1});
    for (std::int64_t i = 0; i < y.n; ++i) {
      for (std::int64_t k = 0; k < out; ++k) {
        y.at(i, k) = p.size() > 1 ? p[1][static_cast<std::size_t>(k)] : 0;
        for (std::int64_t j = 0; j < in; ++j) {
          y.at(i, k) += x[0].at(i, j) * p[0][static_cast<std::size_t>(k * in + j)];
        }
      }
    }
    return y;
  };
  check_case(c);
}

}  // namespace

TEST(conv_agrees_with_its_definition_in_every_pair_of_layouts) {
  for (const ConvShape& s :
       {ConvShape{{16, 6, 5}, 32, 1, 3, 1, 1, 1}, ConvShape{{3, 9, 8}, 16, 1, 3, 2, 1, 1},
        ConvShape{{16, 5, 5}, 10, 1, 1, 1, 0, 1}, ConvShape{{24, 5, 4}, 32, 1, 3, 1, 1, 1},
        ConvShape{{6, 7, 7}, 7, 1, 3, 1, 0, 2}}) {
    for (std::int64_t in : blocks_of(s.in.c)) {
      for (std::int64_t out : blocks_of(s.out)) check_conv(conv_case(s, in != 1), in, out);
    }
  }
}

TEST(conv_groups_and_depthwise_agree) {
  for (const ConvShape& s :
       {ConvShape{{32, 6, 5}, 32, 32, 3, 1, 1, 1}, ConvShape{{20, 6, 5}, 20, 20, 3, 2, 1, 1},
        ConvShape{{16, 6, 5}, 32, 16, 3, 1, 1, 1}, ConvShape{{64, 4, 4}, 64, 16, 3, 1, 1, 1},
        ConvShape{{32, 5, 5}, 48, 2, 3, 1, 1, 1}, ConvShape{{12, 5, 5}, 24, 3, 1, 1, 0, 1}}) {
    check_conv(conv_case(s, true));
    check_conv(conv_case(s, false), s.in.c, s.out);
  }
}

TEST(conv_of_some_channels_needs_their_rows_and_groups_only) {
  Case plain = conv_case({{32, 6, 6}, 64, 1, 3, 1, 1, 1}, true);
  for (Ranges r : {Ranges{{0, 16}}, Ranges{{16, 48}}, Ranges{{3, 8}, {17, 60}}, Ranges{{63, 64}}}) {
    plain.channels = r;
    check_conv(plain);
  }
  Case grouped = conv_case({{32, 6, 6}, 64, 4, 3, 1, 1, 1}, true);
  for (Ranges r : {Ranges{{0, 16}}, Ranges{{16, 32}, {48, 64}}}) {
    grouped.channels = r;
    check_conv(grouped);
  }
  Case depthwise = conv_case({{48, 6, 6}, 48, 48, 3, 1, 1, 1}, false);
  for (Ranges r : {Ranges{{5, 6}}, Ranges{{0, 16}, {20, 36}}}) {
    depthwise.channels = r;
    check_conv(depthwise);
  }
}

TEST(conv_takes_single_samples_single_pixels_and_uneven_pads) {
  Case one = conv_case({{16, 1, 1}, 32, 1, 1, 1, 0, 1}, true);
  one.samples = 1;
  check_conv(one);
  Case pixel = conv_case({{5, 1, 1}, 3, 1, 3, 1, 1, 1}, true);
  pixel.samples = 1;
  check_conv(pixel);
  Case uneven = conv_case({{16, 7, 6}, 16, 1, 3, 2, 0, 1}, true);
  uneven.attrs.pads = {0, 1, 2, 0};
  check_conv(uneven);
  Case oblong = conv_case({{8, 7, 6}, 16, 1, 3, 1, 0, 1}, true);
  oblong.attrs.kernel = {1, 5};
  oblong.attrs.pads = {0, 2, 0, 2};
  oblong.params[0].dims = {16, 8, 1, 5};
  check_conv(oblong);
}

TEST(conv_holds_no_backward_weights_where_there_is_no_backward) {
  Graph graph;
  graph.values.push_back({"in", {16, 8, 8}, NodeId(0)});
  graph.nodes.push_back({});
  graph.params.push_back({"w", ParamRole::weight, {32, 16, 3, 3}, true});
  Attrs a;
  a.kernel = {3, 3};
  add_node(graph, OpKind::conv, "c", {ValueId(0)}, {ParamId(0)}, a, "out");
  KernelSpec spec;
  spec.graph = &graph;
  spec.node = NodeId(1);
  spec.samples = 2;
  spec.channels = {{0, 32}};
  spec.input_channels = {{{0, 16}}};
  spec.input_shapes = {{16, 8, 8}};
  spec.output_shape = {32, 6, 6};
  spec.training = false;
  CHECK_EQ(prepare_cpu_kernel(spec)->resident_bytes(), 32U * 16 * 9 * 4);
}

TEST(dense_agrees_with_its_definition) {
  check_dense(24, 10, 3, true, {});
  check_dense(33, 17, 1, false, {});
  check_dense(64, 48, 5, true, {{3, 9}, {16, 40}});
  check_dense(70, 1, 4, true, {});
  check_dense(400, 130, 7, true, {});
  check_dense(2080, 34, 9, true, {});
  check_dense(64, 5, 70, false, {});
}

TEST(dense_columns_follow_the_layout_of_the_input) {
  const Shape shape{16, 2, 3};
  for (std::int64_t block : blocks_of(16)) {
    const std::vector<std::int64_t> order = dense_column_order(shape, block);
    Array x(1, shape);
    for (std::size_t k = 0; k < x.data.size(); ++k) x.data[k] = static_cast<double>(k);
    Tensor t(x, {{0, 16}}, block);
    t.set(x);
    for (std::size_t k = 0; k < order.size(); ++k)
      CHECK_EQ(t.value(static_cast<std::int64_t>(k)), order[k]);
  }
  std::vector<std::int64_t> identity(32);
  std::iota(identity.begin(), identity.end(), 0);
  for (std::int64_t block : blocks_of(32)) CHECK(dense_column_order({32, 1, 1}, block) == identity);
}

TEST(index_maps_have_no_kernel) {
  Graph graph;
  graph.values.push_back({"in", {16, 8, 8}, NodeId(0)});
  graph.nodes.push_back({});
  add_node(graph, OpKind::flatten, "flat", {ValueId(0)}, {}, {}, "out");
  KernelSpec spec;
  spec.graph = &graph;
  spec.node = NodeId(1);
  CHECK_THROWS(prepare_cpu_kernel(spec), ErrorCode::unsupported_op, "'flat'");
}
