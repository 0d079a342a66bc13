// Winograd's convolutions against loops over taps in double precision.
#include <functional>
#include <limits>
#include <random>

#include "check.h"
#include "engine/cpu/winograd/winograd.h"

using namespace hpmp;
using namespace hpmp::cpu::winograd;

namespace {

struct Case {
  Shape3x3 shape;
  int lanes;
};

std::vector<int> lane_counts() {
  std::vector<int> all;
  for (int lanes : {8, 16}) {
    if (code_for(lanes, DType::fp32) != nullptr) all.push_back(lanes);
  }
  return all;
}

/// Odd tiles at the borders, all paddings, odd numbers of channel blocks, more than one block of
/// tiles, images smaller than a tile, weights in more than one group.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (int lanes : lane_counts()) {
    const auto add = [&](int n, int in, int out, int height, int width, int top, int left) {
      Shape3x3 s;
      s.samples = n;
      s.in_channels = in * lanes;
      s.out_channels = out * lanes;
      s.in_height = height;
      s.in_width = width;
      s.out_height = height + 2 * top - 2;
      s.out_width = width + 2 * left - 2;
      s.pad_top = top;
      s.pad_left = left;
      all.push_back({s, lanes});
    };
    add(1, 1, 1, 4, 4, 1, 1);
    add(2, 2, 3, 7, 9, 1, 1);
    add(1, 3, 2, 6, 5, 0, 2);
    add(3, 1, 4, 3, 3, 0, 0);
    add(2, 2, 1, 1, 2, 1, 1);
    add(2, 1, 2, 57, 50, 1, 1);
    add(1, 320 / lanes, 144 / lanes, 2, 5, 1, 1);
  }
  return all;
}

std::vector<float> random_floats(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> values(-1, 1);
  std::vector<float> all(static_cast<std::size_t>(count));
  for (float& v : all) v = values(generator);
  return all;
}

struct Tensors {
  explicit Tensors(const Case& c)
      : s(c.shape),
        lanes(c.lanes),
        x(random_floats(s.samples * s.in_channels * s.in_height * s.in_width, 1)),
        y(random_floats(s.samples * s.out_channels * s.out_height * s.out_width, 2)),
        w(random_floats(s.out_channels * s.in_channels * 9, 3)),
        bias(random_floats(s.out_channels, 4)) {}

  std::size_t at(std::int64_t n, std::int64_t c, int py, int px, bool input) const {
    const std::int64_t channels = input ? s.in_channels : s.out_channels;
    const int height = input ? s.in_height : s.out_height, width = input ? s.in_width : s.out_width;
    const std::int64_t block = (n * channels + c) / lanes;
    return static_cast<std::size_t>(((block * height + py) * width + px) * lanes + c % lanes);
  }

  /// visit(x index, w index, y index) of every product of the convolution.
  void each_product(const std::function<void(std::size_t, std::size_t, std::size_t)>& visit) const {
    for (std::int64_t n = 0; n < s.samples; ++n)
      for (std::int64_t k = 0; k < s.out_channels; ++k)
        for (std::int64_t c = 0; c < s.in_channels; ++c)
          for (int p = 0; p < s.out_height * s.out_width * 9; ++p) {
            const int tap = p % 9, oy = p / 9 / s.out_width, ox = p / 9 % s.out_width;
            const int iy = oy + tap / 3 - s.pad_top, ix = ox + tap % 3 - s.pad_left;
            if (iy < 0 || ix < 0 || iy >= s.in_height || ix >= s.in_width) continue;
            visit(at(n, c, iy, ix, true),
                  static_cast<std::size_t>((k * s.in_channels + c) * 9 + tap),
                  at(n, k, oy, ox, false));
          }
  }

  Shape3x3 s;
  int lanes;
  std::vector<float> x, y, w, bias;
};

void check_close(const std::vector<float>& found, const std::vector<double>& wanted) {
  double most = 0;
  for (double v : wanted) most = std::max(most, std::abs(v));
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK_NEAR(static_cast<double>(found[i]), wanted[i], 2e-5 * most);
}

std::vector<float> mapped(const Shape3x3& s, int lanes, bool transposed,
                          const std::vector<float>& weights, std::vector<float>& src,
                          std::vector<float> dst, const float* bias, bool add, int threads) {
  Map map(*code_for(lanes, DType::fp32), s, transposed, threads);
  map.load(weights.data());
  const AlignedBytes scratch =
      allocate_bytes(static_cast<std::int64_t>(map.scratch_bytes()), "scratch");
  const float none = std::numeric_limits<float>::quiet_NaN();
  map.run(src.data(), dst.data(), {bias, add ? dst.data() : nullptr, {none, none}}, scratch.get());
  return dst;
}

}  // namespace

TEST(a_forward_pass_is_the_convolution_plus_the_bias) {
  for (const Case& c : cases()) {
    Tensors t(c);
    std::vector<double> wanted(t.y.size());
    const std::int64_t pixels = std::int64_t{t.s.out_height} * t.s.out_width;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const std::int64_t block = at / (pixels * t.lanes) % (t.s.out_channels / t.lanes);
      wanted[i] =
          static_cast<double>(t.bias[static_cast<std::size_t>(block * t.lanes + at % t.lanes)]);
    }
    t.each_product([&](std::size_t x, std::size_t w, std::size_t y) {
      wanted[y] += static_cast<double>(t.x[x]) * static_cast<double>(t.w[w]);
    });
    for (int threads : {1, 3})
      check_close(mapped(t.s, t.lanes, false, t.w, t.x, t.y, t.bias.data(), false, threads),
                  wanted);
  }
}

TEST(a_gradient_of_the_input_is_added_to_what_is_there) {
  for (const Case& c : cases()) {
    Tensors t(c);
    std::vector<double> wanted(t.x.begin(), t.x.end());
    t.each_product([&](std::size_t x, std::size_t w, std::size_t y) {
      wanted[x] += static_cast<double>(t.y[y]) * static_cast<double>(t.w[w]);
    });
    check_close(mapped(t.s.transposed(), t.lanes, true, t.w, t.y, t.x, nullptr, true, 2), wanted);
  }
}

TEST(a_gradient_of_the_weights_is_added_to_what_is_there) {
  for (const Case& c : cases()) {
    Tensors t(c);
    std::vector<double> wanted(t.w.begin(), t.w.end());
    t.each_product([&](std::size_t x, std::size_t w, std::size_t y) {
      wanted[w] += static_cast<double>(t.x[x]) * static_cast<double>(t.y[y]);
    });
    const WeightGrad grad(*code_for(t.lanes, DType::fp32), t.s, 2);
    const AlignedBytes scratch =
        allocate_bytes(static_cast<std::int64_t>(grad.scratch_bytes()), "scratch");
    std::vector<float> found = t.w;
    grad.run(t.x.data(), t.y.data(), found.data(), scratch.get());
    check_close(found, wanted);
  }
}
