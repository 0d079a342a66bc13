#include "graph/attrs_text.h"

#include <iterator>
#include <sstream>

#include "base/numbers.h"

namespace hpmp {
namespace {

/// f(key, field of a, field of b) for every attribute, in the order of the text form.
template <class SomeAttrs, class F>
void for_each_attr(SomeAttrs& a, const Attrs& b, const F& f) {
  f("kernel", a.kernel, b.kernel);
  f("strides", a.strides, b.strides);
  f("dilations", a.dilations, b.dilations);
  f("pads", a.pads, b.pads);
  f("groups", a.groups, b.groups);
  f("ceil_mode", a.ceil_mode, b.ceil_mode);
  f("count_include_pad", a.count_include_pad, b.count_include_pad);
  f("has_scale", a.has_scale, b.has_scale);
  f("has_shift", a.has_shift, b.has_shift);
  f("epsilon", a.epsilon, b.epsilon);
  f("momentum", a.momentum, b.momentum);
  f("ratio", a.ratio, b.ratio);
  f("per_sample", a.per_sample, b.per_sample);
  f("size", a.size, b.size);
  f("alpha", a.alpha, b.alpha);
  f("beta", a.beta, b.beta);
  f("bias", a.bias, b.bias);
  f("exponent", a.exponent, b.exponent);
  f("approximate", a.approximate, b.approximate);
  f("min", a.min, b.min);
  f("max", a.max, b.max);
  f("range", a.range, b.range);
  f("extent", a.extent, b.extent);
  f("rows", a.rows, b.rows);
  f("columns", a.columns, b.columns);
  f("interpolation", a.interpolation, b.interpolation);
  f("rounding", a.rounding, b.rounding);
  f("cubic_a", a.cubic_a, b.cubic_a);
  f("antialias", a.antialias, b.antialias);
  f("exclude_outside", a.exclude_outside, b.exclude_outside);
  f("border", a.border, b.border);
  f("border_value", a.border_value, b.border_value);
  f("block", a.block, b.block);
  f("weight", a.weight, b.weight);
}

/// The values of an enumeration by name, in its order.
template <class Enum>
struct Names;
template <>
struct Names<Interpolation> {
  static constexpr const char* kAll[] = {"nearest", "linear", "cubic"};
};
template <>
struct Names<Rounding> {
  static constexpr const char* kAll[] = {"prefer_floor", "prefer_ceil", "floor", "ceil"};
};
template <>
struct Names<Border> {
  static constexpr const char* kAll[] = {"edge", "constant", "reflect", "wrap"};
};

std::string text(bool v) { return v ? "1" : "0"; }
std::string text(std::int64_t v) { return std::to_string(v); }
std::string text(double v) { return real_text(v); }
template <std::size_t N>
std::string text(const std::array<std::int64_t, N>& items) {
  std::string out;
  for (std::int64_t i : items) out += (out.empty() ? "" : ",") + std::to_string(i);
  return out;
}
std::string text(const Sampling& s) {
  return real_text(s.shift) + "," + real_text(s.step) + "," + real_text(s.scale) + "," +
         real_text(s.offset);
}
template <class Enum, class = decltype(Names<Enum>::kAll)>
std::string text(Enum value) {
  return Names<Enum>::kAll[static_cast<std::size_t>(value)];
}
std::string text(Range r) { return text(std::array<std::int64_t, 2>{r.begin, r.end}); }

/// Each returns what is wrong with `s`, or nothing.
std::string read(const std::string& s, std::int64_t& out) {
  const auto v = number_in<std::int64_t>(s);
  out = v.value_or(0);
  return v ? "" : "'" + s + "' is not an integer";
}

std::string read(const std::string& s, bool& out) {
  std::int64_t v = 0;
  const std::string why = read(s, v);
  out = v != 0;
  return why;
}

std::string read(const std::string& s, double& out) {
  const auto v = number_in<double>(s);
  out = v.value_or(0);
  return v ? "" : "'" + s + "' is not a number";
}

template <class T, std::size_t N>
std::string read(const std::string& s, std::array<T, N>& out) {
  std::stringstream in(s);
  std::string item;
  std::size_t i = 0;
  while (std::getline(in, item, ',')) {
    if (i == N) break;
    if (std::string why = read(item, out[i++]); !why.empty()) return why;
  }
  const bool whole = i == N && in.eof();
  return whole ? "" : "'" + s + "' is not a list of " + std::to_string(N) + " numbers";
}

std::string read(const std::string& s, Sampling& out) {
  std::array<double, 4> numbers{};
  std::string why = read(s, numbers);
  out = {numbers[0], numbers[1], numbers[2], numbers[3]};
  return why;
}

template <class Enum, class = decltype(Names<Enum>::kAll)>
std::string read(const std::string& s, Enum& out) {
  std::string known;
  for (std::size_t i = 0; i < std::size(Names<Enum>::kAll); ++i) {
    if (s == Names<Enum>::kAll[i]) {
      out = static_cast<Enum>(i);
      return "";
    }
    known += (known.empty() ? "" : ", ") + std::string(Names<Enum>::kAll[i]);
  }
  return "'" + s + "' is none of " + known;
}

std::string read(const std::string& s, Range& out) {
  std::array<std::int64_t, 2> ends{};
  std::string why = read(s, ends);
  out = {ends[0], ends[1]};
  return why;
}

}  // namespace

std::string attrs_text(const Attrs& attrs) {
  std::string out;
  for_each_attr(attrs, Attrs(), [&](const char* key, const auto& field, const auto& normal) {
    if (field != normal) out += std::string(" ") + key + "=" + text(field);
  });
  return out;
}

std::string read_attr(Attrs& attrs, const std::string& key, const std::string& value) {
  std::string why = "'" + key + "' is not an attribute";
  for_each_attr(attrs, attrs, [&](const char* name, auto& field, const auto&) {
    if (name == key) why = read(value, field);
  });
  return why;
}

}  // namespace hpmp
