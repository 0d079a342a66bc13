// resample against the definition of interpolation, pixel by pixel.
#include "kernel_case.h"

using namespace kernel_test;

namespace {

double position_of(const Sampling& s, std::int64_t o) {
  return (static_cast<double>(o) + s.shift) * s.step / s.scale + s.offset;
}

double kernel_at(const Attrs& a, double x) {
  x = std::abs(x);
  if (a.interpolation == Interpolation::linear) return x < 1 ? 1 - x : 0;
  const double c = a.cubic_a;
  if (x < 1) return (c + 2) * x * x * x - (c + 3) * x * x + 1;
  return x < 2 ? c * x * x * x - 5 * c * x * x + 8 * c * x - 4 * c : 0;
}

std::int64_t nearest_to(double x, Rounding r) {
  const double low = std::floor(x), above = x - low;
  bool up = above > 0.5;
  if (r == Rounding::prefer_ceil) up = above >= 0.5;
  if (r == Rounding::floor) up = false;
  if (r == Rounding::ceil) up = above > 0;
  return static_cast<std::int64_t>(low) + (up ? 1 : 0);
}

std::int64_t held_inside(std::int64_t i, std::int64_t input, Border border) {
  while (border == Border::wrap && i < 0) i += input;
  while (border == Border::wrap && i >= input) i -= input;
  while (border == Border::reflect && input > 1 && (i < 0 || i >= input)) {
    i = i < 0 ? -i : 2 * (input - 1) - i;
  }
  return std::max<std::int64_t>(0, std::min(input - 1, i));
}

/// [output][input]; empty rows are outside.
std::vector<std::vector<double>> matrix(const Attrs& a, std::size_t axis, std::int64_t input) {
  const Sampling& s = axis == 0 ? a.rows : a.columns;
  std::vector<std::vector<double>> rows;
  for (std::int64_t o = 0; o < a.extent[axis]; ++o) {
    const double x = position_of(s, o);
    rows.emplace_back();
    if (a.border == Border::constant && (x < 0 || x > static_cast<double>(input - 1))) continue;
    std::vector<double>& row = rows.back();
    row.resize(static_cast<std::size_t>(input));
    const auto at = [&](std::int64_t i) -> double& {
      return row[static_cast<std::size_t>(held_inside(i, input, a.border))];
    };
    if (a.interpolation == Interpolation::nearest) {
      at(nearest_to(x, a.rounding)) = 1;
      continue;
    }
    const double stretch = a.antialias ? std::max(1.0, std::abs(s.step / s.scale)) : 1;
    double sum = 0, within = 0;
    for (std::int64_t i = -50; i < input + 50; ++i) {
      const double w = kernel_at(a, (static_cast<double>(i) - x) / stretch);
      sum += w;
      if (i >= 0 && i < input) within += w;
    }
    for (std::int64_t i = -50; i < input + 50; ++i) {
      const double w = kernel_at(a, (static_cast<double>(i) - x) / stretch);
      const bool inside = i >= 0 && i < input;
      if (inside || !a.exclude_outside) at(i) += w / (a.exclude_outside ? within : sum);
    }
  }
  return rows;
}

Array resampled(const Array& x, const Attrs& a) {
  const auto rows = matrix(a, 0, x.shape.h), columns = matrix(a, 1, x.shape.w);
  Array y(x.n, {x.shape.c, a.extent[0], a.extent[1]});
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t c = 0; c < x.shape.c; ++c) {
      for (std::int64_t h = 0; h < a.extent[0]; ++h) {
        for (std::int64_t w = 0; w < a.extent[1]; ++w) {
          const auto &row = rows[static_cast<std::size_t>(h)],
                     &column = columns[static_cast<std::size_t>(w)];
          double sum = row.empty() || column.empty() ? a.border_value : 0;
          for (std::size_t r = 0; r < row.size() && !column.empty(); ++r) {
            for (std::size_t s = 0; s < column.size(); ++s)
              sum += row[r] * column[s] *
                     x.at(i, c, static_cast<std::int64_t>(r), static_cast<std::int64_t>(s));
          }
          y.at(i, c, h, w) = sum;
        }
      }
    }
  }
  return y;
}

void check_resample(const Shape& in, const Attrs& a, const Ranges& channels = {}) {
  Case c;
  c.op = OpKind::resample;
  c.inputs = {in};
  c.attrs = a;
  c.channels = channels;
  c.reference = [a](const Arrays& x, const Params&) { return resampled(x[0], a); };
  for (std::int64_t block : blocks_of(channels.empty() ? in.c : total_size(channels))) {
    c.in_block = c.out_block = block;
    if (on_gpu())
      check_case(c);
    else
      Run(c).check();  // bf16 gradients are added up, and rounded, where they are stored
  }
}

/// To `extent`, pixel centres on pixel centres.
Attrs scaled(const Shape& in, std::int64_t h, std::int64_t w) {
  Attrs a;
  a.extent = {h, w};
  a.rows = {0.5, 1, static_cast<double>(h) / static_cast<double>(in.h), -0.5};
  a.columns = {0.5, 1, static_cast<double>(w) / static_cast<double>(in.w), -0.5};
  return a;
}

Attrs padded(const Shape& in, std::int64_t by, Border border) {
  Attrs a;
  a.extent = {in.h + 2 * by, in.w + by};
  a.rows.shift = static_cast<double>(-by);
  a.columns.shift = static_cast<double>(-by);
  a.border = border;
  a.border_value = -1.5;
  return a;
}

}  // namespace

TEST(resample_takes_the_nearest_pixel_by_every_rounding) {
  for (Rounding r :
       {Rounding::prefer_floor, Rounding::prefer_ceil, Rounding::floor, Rounding::ceil}) {
    for (auto [h, w] : {std::pair{12, 10}, std::pair{9, 3}, std::pair{3, 20}}) {
      Attrs a = scaled({16, 6, 5}, h, w);
      a.rounding = r;
      check_resample({16, 6, 5}, a);
    }
  }
}

TEST(resample_interpolates_up_and_down) {
  for (Interpolation how : {Interpolation::linear, Interpolation::cubic}) {
    for (Shape in : {Shape{16, 6, 8}, Shape{5, 4, 1}}) {
      for (auto [h, w] : {std::pair{12, 16}, std::pair{3, 5}, std::pair{1, 7}}) {
        for (bool flag : {false, true}) {
          Attrs a = scaled(in, h, w);
          a.interpolation = how;
          a.cubic_a = -0.5;
          a.exclude_outside = flag;
          check_resample(in, a);
          a.antialias = true;
          check_resample(in, a);
        }
      }
    }
  }
}

TEST(resample_of_corners_on_corners_and_of_one_position) {
  Attrs a;
  a.interpolation = Interpolation::linear;
  a.extent = {7, 4};
  a.rows = {0, 2, 6, 0};
  a.columns = {0, 0, 1, 1.25};
  check_resample({16, 3, 5}, a);
}

TEST(resample_pads_and_crops) {
  for (Border border : {Border::edge, Border::constant, Border::reflect, Border::wrap}) {
    for (std::int64_t by : {1, 2, -1}) check_resample({16, 5, 4}, padded({16, 5, 4}, by, border));
  }
  check_resample({5, 1, 1}, padded({5, 1, 1}, 2, Border::reflect));
  Attrs strided;
  strided.extent = {3, 2};
  strided.rows = {0, -2, 1, 5};
  strided.columns = {0, 3, 1, 1};
  check_resample({8, 6, 6}, strided);
}

TEST(resample_fills_what_is_cut_beyond_the_input) {
  Attrs a;
  a.interpolation = Interpolation::linear;
  a.extent = {6, 5};
  a.rows = {0, 0.75, 1, -1};
  a.columns = {0, 1.5, 1, -0.25};
  a.border = Border::constant;
  a.border_value = 10;
  check_resample({16, 4, 5}, a);
}

TEST(resample_takes_some_channels) {
  Attrs a = scaled({32, 4, 4}, 8, 8);
  a.interpolation = Interpolation::linear;
  check_resample({32, 4, 4}, a, {{1, 4}, {16, 29}});
  check_resample({40, 20, 19}, scaled({40, 20, 19}, 40, 38));
}
