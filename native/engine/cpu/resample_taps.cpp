// Interpolation kernels by their definitions. Cubic: Keys, Cubic convolution interpolation for
// digital image processing, 1981, equation 4.
#include "engine/cpu/resample_taps.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hpmp::cpu {
namespace {

double linear(double x) { return std::max(0.0, 1 - std::abs(x)); }

double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

float nearest(float x, Rounding rounding) {
  switch (rounding) {
    case Rounding::prefer_floor:
      return std::ceil(x - 0.5F);
    case Rounding::prefer_ceil:
      return std::floor(x + 0.5F);
    case Rounding::floor:
      return std::floor(x);
    case Rounding::ceil:
      break;
  }
  return std::ceil(x);
}

class TapFinder {
 public:
  TapFinder(const Attrs& attrs, std::size_t axis, std::int64_t input)
      : attrs_(attrs), sampling_(axis == 0 ? attrs.rows : attrs.columns), input_(input) {
    if (attrs.antialias) stretch_ = std::max(1.0, std::abs(sampling_.step / sampling_.scale));
  }

  Taps all(std::int64_t outputs) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      add(position(static_cast<float>(o)));
      taps_.begin.push_back(static_cast<std::int64_t>(taps_.at.size()));
    }
    return std::move(taps_);
  }

 private:
  float position(float o) const {
    const auto [shift, step, scale, offset] = sampling_;
    return (o + static_cast<float>(shift)) * static_cast<float>(step) / static_cast<float>(scale) +
           static_cast<float>(offset);
  }

  void add(float position) {
    const bool outside = position < 0 || position > static_cast<float>(input_ - 1);
    if (attrs_.border == Border::constant && outside) return;
    if (attrs_.interpolation == Interpolation::nearest) {
      put(static_cast<std::int64_t>(nearest(position, attrs_.rounding)), 1);
    } else {
      interpolate(position);
    }
  }

  double kernel(double x) const {
    return attrs_.interpolation == Interpolation::linear ? linear(x) : cubic(x, attrs_.cubic_a);
  }

  void interpolate(double position) {
    const double reach = (attrs_.interpolation == Interpolation::linear ? 1 : 2) * stretch_;
    const auto first = static_cast<std::int64_t>(std::floor(position - reach)) + 1;
    const auto last = static_cast<std::int64_t>(std::ceil(position + reach)) - 1;
    std::vector<double> weights;
    for (std::int64_t i = first; i <= last; ++i)
      weights.push_back(kernel((static_cast<double>(i) - position) / stretch_));
    if (stretch_ > 1) normalise(weights);
    if (attrs_.exclude_outside) exclude(weights, first);
    for (std::int64_t i = first; i <= last; ++i)
      put(i, weights[static_cast<std::size_t>(i - first)]);
  }

  void exclude(std::vector<double>& weights, std::int64_t first) const {
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const std::int64_t i = first + static_cast<std::int64_t>(k);
      if (i < 0 || i >= input_) weights[k] = 0;
    }
    normalise(weights);
  }

  static void normalise(std::vector<double>& weights) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (sum == 0) return;
    for (double& w : weights) w /= sum;
  }

  /// Pixels outside of the input that are the same one inside are one tap.
  void put(std::int64_t i, double weight) {
    if (weight == 0) return;
    const std::int64_t at = inside(i);
    const auto own = taps_.at.begin() + static_cast<std::ptrdiff_t>(taps_.begin.back());
    const auto found = std::find(own, taps_.at.end(), at);
    if (found != taps_.at.end()) {
      taps_.weight[static_cast<std::size_t>(found - taps_.at.begin())] +=
          static_cast<float>(weight);
      return;
    }
    taps_.at.push_back(at);
    taps_.weight.push_back(static_cast<float>(weight));
  }

  std::int64_t inside(std::int64_t i) const {
    if (attrs_.border == Border::wrap) return (i % input_ + input_) % input_;
    if (attrs_.border == Border::reflect && input_ > 1) {
      const std::int64_t period = 2 * (input_ - 1), at = (i % period + period) % period;
      return std::min(at, period - at);
    }
    return std::clamp<std::int64_t>(i, 0, input_ - 1);
  }

  const Attrs& attrs_;
  const Sampling& sampling_;
  std::int64_t input_;
  double stretch_ = 1;
  Taps taps_;
};

}  // namespace

Taps resample_taps(const Attrs& attrs, std::size_t axis, std::int64_t input) {
  return TapFinder(attrs, axis, input).all(attrs.extent[axis]);
}

}  // namespace hpmp::cpu
