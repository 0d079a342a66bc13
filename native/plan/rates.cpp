#include "plan/rates.h"

#include <algorithm>
#include <cmath>

namespace hpmp {
namespace {

constexpr std::size_t kNeighbours = 3;

double octaves(std::int64_t a, std::int64_t b) {
  return std::log2(static_cast<double>(a) / static_cast<double>(b));
}

/// Depthwise, grouped and full convolutions run on different code.
int family(const OpShape& s) {
  if (s.groups == 1) return 0;
  return s.groups == s.c_in ? 1 : 2;
}

/// Squared; windows and strides count more than sizes, another family more than all.
double distance(const OpShape& a, const OpShape& b) {
  const double kernel = octaves(a.kernel, b.kernel), stride = octaves(a.stride, b.stride);
  const double in = octaves(a.c_in * b.groups, b.c_in * a.groups);
  const double out = octaves(a.c_out, b.c_out), pixels = octaves(a.pixels, b.pixels);
  const double apart = family(a) == family(b) ? 0 : 10;
  return apart * apart + 4 * kernel * kernel + 4 * stride * stride + in * in + out * out +
         pixels * pixels;
}

struct Neighbour {
  double distance;
  const Rate* rate;
};

std::vector<Neighbour> nearest(const std::vector<Rate>& rates, const OpShape& shape) {
  std::vector<Neighbour> found;
  for (const Rate& r : rates) {
    if (r.shape.op == shape.op) found.push_back({distance(shape, r.shape), &r});
  }
  const auto less = [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; };
  const std::size_t keep = std::min(kNeighbours, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(keep), found.end(),
                    less);
  found.resize(keep);
  return found;
}

/// Geometric mean weighted by the inverse distance, over the neighbours that have the pass.
double blended(const std::vector<Neighbour>& near, double PassTriple::* pass) {
  double sum = 0, weights = 0;
  for (const Neighbour& n : near) {
    const double rate = n.rate->per_second.*pass;
    if (rate <= 0) continue;
    const double weight = 1 / (n.distance + 1e-6);
    sum += weight * std::log(rate);
    weights += weight;
  }
  return weights > 0 ? std::exp(sum / weights) : 0;
}

}  // namespace

OpShape op_shape(const Graph& graph, const Node& node) {
  const Shape& out = graph.shape(node.output);
  OpShape s;
  s.op = node.op;
  s.kernel = node.attrs.kernel[0] * node.attrs.kernel[1];
  s.stride = node.attrs.strides[0];
  s.groups = node.op == OpKind::conv || node.op == OpKind::conv_transpose ? node.attrs.groups : 1;
  s.c_in = node.inputs.empty() ? out.c : graph.shape(node.inputs[0]).c;
  s.c_out = out.c;
  s.pixels = out.h * out.w;
  return s;
}

PassTriple op_work(const Graph& graph, const Node& node, const Region& output) {
  const Cost c = cost(graph, node, output);
  if (multiplies(node.op)) return {c.forward_flops, c.backward_flops / 2, c.backward_flops / 2};
  return {c.forward_bytes, c.backward_bytes, 0};
}

std::optional<PassTriple> rate_of(const std::vector<Rate>& rates, const OpShape& shape) {
  const std::vector<Neighbour> near = nearest(rates, shape);
  if (near.empty()) return std::nullopt;
  return PassTriple{blended(near, &PassTriple::forward), blended(near, &PassTriple::backward),
                    blended(near, &PassTriple::weights)};
}

}  // namespace hpmp
