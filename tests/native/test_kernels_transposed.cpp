// Transposed convolutions, and moves between channels and pixels, against their definitions.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

/// Every input pixel adds its kernel to the output; what falls on the pads is cut off.
Array transposed(const Array& x, const Params& params, const Case& c) {
  const Attrs& a = c.attrs;
  const std::vector<std::int64_t>& w = c.params[0].dims;
  const auto extent = [&](std::int64_t in, std::size_t axis) {
    return (in - 1) * a.strides[axis] + (a.kernel[axis] - 1) * a.dilations[axis] + 1 -
           a.pads[axis] - a.pads[axis + 2];
  };
  Array y(x.n, {w[0], extent(x.shape.h, 0), extent(x.shape.w, 1)});
  const std::int64_t per_group = w[0] / a.groups;
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t k = 0; k < w[0]; ++k) {
      for (std::int64_t h = 0; h < y.shape.h && params.size() > 1; ++h) {
        for (std::int64_t v = 0; v < y.shape.w; ++v)
          y.at(i, k, h, v) = params[1][static_cast<std::size_t>(k)];
      }
      for (std::int64_t ci = 0; ci < w[1]; ++ci) {
        for (std::int64_t p = 0; p < x.shape.h * x.shape.w * w[2] * w[3]; ++p) {
          const std::int64_t s = p % w[3], r = p / w[3] % w[2];
          const std::int64_t iw = p / w[3] / w[2] % x.shape.w, ih = p / w[3] / w[2] / x.shape.w;
          const std::int64_t oh = ih * a.strides[0] - a.pads[0] + r * a.dilations[0];
          const std::int64_t ow = iw * a.strides[1] - a.pads[1] + s * a.dilations[1];
          if (oh < 0 || ow < 0 || oh >= y.shape.h || ow >= y.shape.w) continue;
          y.at(i, k, oh, ow) +=
              x.at(i, k / per_group * w[1] + ci, ih, iw) *
              params[0][static_cast<std::size_t>(((k * w[1] + ci) * w[2] + r) * w[3] + s)];
        }
      }
    }
  }
  return y;
}

Case transposed_case(Shape in, std::int64_t out, std::int64_t groups, std::int64_t kernel,
                     std::int64_t stride, bool bias) {
  Case c;
  c.op = OpKind::conv_transpose;
  c.inputs = {in};
  c.attrs.groups = groups;
  c.attrs.kernel = {kernel, kernel};
  c.attrs.strides = {stride, stride};
  c.params = {{"w", ParamRole::weight, {out, in.c / groups, kernel, kernel}, true}};
  if (bias) c.params.push_back({"b", ParamRole::bias, {out}, true});
  return c;
}

void check_transposed(Case c, std::int64_t in_block = 0, std::int64_t out_block = 0) {
  const Case copy = c;
  c.reference = [copy](const Arrays& x, const Params& p) { return transposed(x[0], p, copy); };
  c.in_block = in_block;
  c.out_block = out_block;
  c.tolerance = 1e-4;
  c.differences = 6;
  check_case(c);
}

void check_move(OpKind op, Shape in, std::int64_t block, const Ranges& channels) {
  Case c;
  c.op = op;
  c.inputs = {in};
  c.attrs.block = block;
  c.channels = channels;
  c.reference = [op, block](const Arrays& arrays, const Params&) {
    const Array& x = arrays[0];
    const bool widens = op == OpKind::depth_to_space;
    const std::int64_t b = block, bb = b * b;
    Array y(x.n, widens ? Shape{x.shape.c / bb, x.shape.h * b, x.shape.w * b}
                        : Shape{x.shape.c * bb, x.shape.h / b, x.shape.w / b});
    const Array &deep = widens ? x : y, &wide = widens ? y : x;
    for (std::int64_t i = 0; i < x.n; ++i) {
      for (std::int64_t d = 0; d < deep.shape.elems(); ++d) {
        const std::int64_t w = d % deep.shape.w, h = d / deep.shape.w % deep.shape.h;
        const std::int64_t k = d / deep.shape.w / deep.shape.h;
        const std::int64_t row = h * b + k % bb / b, column = w * b + k % b;
        if (widens) {
          y.at(i, k / bb, row, column) = deep.at(i, k, h, w);
        } else {
          y.at(i, k, h, w) = wide.at(i, k / bb, row, column);
        }
      }
    }
    return y;
  };
  check_case(c);
}

}  // namespace

TEST(conv_transpose_agrees_with_its_definition_in_every_pair_of_layouts) {
  for (auto [c, k] : {std::pair{16, 32}, std::pair{6, 16}, std::pair{32, 5}}) {
    for (std::int64_t in : blocks_of(c)) {
      for (std::int64_t out : blocks_of(k))
        check_transposed(transposed_case({c, 4, 3}, k, 1, 2, 2, in != 1), in, out);
    }
  }
}

TEST(conv_transpose_cuts_pads_off_and_may_be_longer_than_its_input_reaches) {
  Case c = transposed_case({16, 5, 4}, 8, 1, 3, 2, true);
  for (std::array<std::int64_t, 4> pads :
       {std::array<std::int64_t, 4>{1, 1, 1, 1}, {0, 2, 1, 0}, {1, 1, 0, 0}, {0, 0, -1, -1}}) {
    c.attrs.pads = pads;
    check_transposed(c);
  }
  c.attrs.pads = {0, 0, 0, 0};
  c.attrs.strides = {1, 3};
  c.attrs.dilations = {2, 1};
  check_transposed(c);
}

TEST(conv_transpose_groups_agree) {
  check_transposed(transposed_case({32, 4, 4}, 32, 32, 3, 2, true));
  check_transposed(transposed_case({32, 4, 4}, 48, 2, 2, 2, false));
}

TEST(conv_transpose_of_some_channels_needs_their_rows_and_groups_only) {
  Case plain = transposed_case({16, 4, 4}, 64, 1, 2, 2, true);
  for (Ranges r : {Ranges{{0, 16}}, Ranges{{3, 8}, {17, 60}}}) {
    plain.channels = r;
    check_transposed(plain);
  }
  Case grouped = transposed_case({32, 4, 4}, 64, 4, 3, 1, true);
  grouped.channels = {{16, 32}, {48, 64}};
  check_transposed(grouped);
}

TEST(channels_become_pixels_and_pixels_channels) {
  check_move(OpKind::depth_to_space, {32, 3, 2}, 2, {});
  check_move(OpKind::depth_to_space, {36, 2, 3}, 3, {{1, 3}});
  check_move(OpKind::space_to_depth, {8, 6, 4}, 2, {});
  check_move(OpKind::space_to_depth, {3, 4, 4}, 2, {{4, 12}});
}
