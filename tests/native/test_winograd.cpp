// Winograd's convolutions, of large and small tiles, against loops over taps in double precision.
#include <functional>
#include <limits>
#include <random>

#include "check.h"
#include "engine/cpu/isa.h"
#include "engine/cpu/winograd/winograd.h"
#include "engine/cpu/winograd2/winograd2.h"

using namespace hpmp;
using namespace hpmp::cpu::winograd;

namespace {

/// Large tiles on fp32 or bf16, small ones on bf16.
struct Kind {
  int lanes;
  DType dtype;
  bool small;
  double tolerance;  // of the largest value
};

struct Case {
  Shape3x3 shape;
  Kind kind;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (int lanes : {8, 16}) {
    if (code_for(lanes, DType::fp32) != nullptr) all.push_back({lanes, DType::fp32, false, 2e-5});
    if (code_for(lanes, DType::bf16) != nullptr) all.push_back({lanes, DType::bf16, false, 0.005});
  }
  if (cpu::has_avx512_bf16()) all.push_back({16, DType::bf16, true, 0.01});
  return all;
}

/// Odd tiles at the borders, all paddings, odd numbers of channel blocks, more than one block of
/// tiles, images smaller than a tile, weights in more than one group.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Kind& kind : kinds()) {
    const int lanes = kind.lanes;
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
      all.push_back({s, kind});
    };
    add(1, 1, 1, 4, 4, 1, 1);
    add(2, 2, 3, 7, 9, 1, 1);
    add(1, 3, 2, 6, 5, 0, 2);
    add(3, 1, 4, 3, 3, 0, 0);
    add(2, 2, 1, 1, 2, 1, 1);
    add(2, 1, 2, 57, 50, 1, 1);
    add(3, 2, 5, 8, 6, 1, 1);
    add(1, 320 / lanes, 144 / lanes, 2, 5, 1, 1);
  }
  return all;
}

/// What images of `dtype` hold.
std::vector<float> random_floats(std::int64_t count, unsigned seed, DType dtype = DType::fp32) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> values(-1, 1);
  std::vector<float> all(static_cast<std::size_t>(count));
  for (float& v : all) v = dtype == DType::bf16 ? Bf16(values(generator)) : values(generator);
  return all;
}

struct Tensors {
  explicit Tensors(const Case& c)
      : s(c.shape),
        lanes(c.kind.lanes),
        x(random_floats(s.samples * s.in_channels * s.in_height * s.in_width, 1, c.kind.dtype)),
        y(random_floats(s.samples * s.out_channels * s.out_height * s.out_width, 2, c.kind.dtype)),
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

void check_close(const std::vector<float>& found, const std::vector<double>& wanted,
                 double tolerance) {
  double most = 0;
  for (double v : wanted) most = std::max(most, std::abs(v));
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK_NEAR(static_cast<double>(found[i]), wanted[i], tolerance * most);
}

/// An image as it is stored, and back.
class Stored {
 public:
  Stored(const std::vector<float>& values, DType dtype) : dtype_(dtype), floats_(values) {
    for (float v : values) halves_.push_back(Bf16(v));
  }
  void* data() {
    return dtype_ == DType::bf16 ? static_cast<void*>(halves_.data()) : floats_.data();
  }
  Bf16* halves() { return halves_.data(); }
  std::vector<float> values() const {
    return dtype_ == DType::bf16 ? std::vector<float>(halves_.begin(), halves_.end()) : floats_;
  }

 private:
  DType dtype_;
  std::vector<float> floats_;
  std::vector<Bf16> halves_;
};

AlignedBytes scratch_of(std::size_t bytes) {
  return allocate_bytes(static_cast<std::int64_t>(bytes), "scratch");
}

std::vector<float> mapped(const Shape3x3& s, const Kind& kind, bool transposed,
                          const std::vector<float>& weights, const std::vector<float>& src,
                          const std::vector<float>& dst, const float* bias, bool add, int threads) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  Stored from(src, kind.dtype), to(dst, kind.dtype);
  const Ending ending{bias, add ? to.data() : nullptr, {none, none}};
  if (kind.small) {
    cpu::winograd2::Map map(s, transposed);
    map.load(weights.data());
    map.run(from.halves(), to.halves(), ending, scratch_of(map.scratch_bytes()).get());
  } else {
    Map map(*code_for(kind.lanes, kind.dtype), s, transposed, threads);
    map.load(weights.data());
    map.run(from.data(), to.data(), ending, scratch_of(map.scratch_bytes()).get());
  }
  return to.values();
}

std::vector<float> weight_grad(const Tensors& t, const Kind& kind) {
  Stored x(t.x, kind.dtype), y(t.y, kind.dtype);
  std::vector<float> found = t.w;
  if (kind.small) {
    const cpu::winograd2::WeightGrad grad(t.s, 2);
    grad.run(x.halves(), y.halves(), found.data(), scratch_of(grad.scratch_bytes()).get());
  } else {
    const WeightGrad grad(*code_for(kind.lanes, kind.dtype), t.s, 2);
    grad.run(x.data(), y.data(), found.data(), scratch_of(grad.scratch_bytes()).get());
  }
  return found;
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
      check_close(mapped(t.s, c.kind, false, t.w, t.x, t.y, t.bias.data(), false, threads), wanted,
                  c.kind.tolerance);
  }
}

TEST(a_gradient_of_the_input_is_added_to_what_is_there) {
  for (const Case& c : cases()) {
    Tensors t(c);
    std::vector<double> wanted(t.x.begin(), t.x.end());
    t.each_product([&](std::size_t x, std::size_t w, std::size_t y) {
      wanted[x] += static_cast<double>(t.y[y]) * static_cast<double>(t.w[w]);
    });
    check_close(mapped(t.s.transposed(), c.kind, true, t.w, t.y, t.x, nullptr, true, 2), wanted,
                c.kind.tolerance);
  }
}

TEST(a_gradient_of_the_weights_is_added_to_what_is_there) {
  for (const Case& c : cases()) {
    Tensors t(c);
    std::vector<double> wanted(t.w.begin(), t.w.end());
    t.each_product([&](std::size_t x, std::size_t w, std::size_t y) {
      wanted[w] += static_cast<double>(t.x[x]) * static_cast<double>(t.y[y]);
    });
    check_close(weight_grad(t, c.kind), wanted, c.kind.tolerance);
  }
}
