#include "engine/cuda/conv_rehearsal.h"

#include <algorithm>
#include <limits>

namespace hpmp::cuda {
namespace {

constexpr int kRuns = 4;  // the first of which may load code

}  // namespace

ConvRehearsal::ConvRehearsal(Stream& stream, const ConvPlanSpec& spec) : stream_(stream) {
  const ConvShape& s = spec.shape;
  const std::int64_t taps = s.rows.kernel * s.columns.kernel;
  const std::int64_t output = std::int64_t{s.n} * s.rows.output * s.columns.output * s.k;
  operands_.x = zeros(std::int64_t{s.n} * s.rows.input * s.columns.input * s.c);
  operands_.filter = zeros(std::int64_t{s.k} * (s.c / s.groups) * taps);
  operands_.y = zeros(output);
  if (spec.biased) operands_.bias = zeros(s.k);
  if (spec.adds) operands_.addend = zeros(output);
}

const void* ConvRehearsal::zeros(std::int64_t elems) {
  const std::size_t bytes = static_cast<std::size_t>(elems) * sizeof(float);
  const DeviceBytes& memory = memory_.emplace_back(stream_.device(), bytes, "timing convolutions");
  stream_.fill(memory.data(), 0, bytes);
  return memory.data();
}

double ConvRehearsal::time(std::size_t workspace_bytes, const Run& run) {
  const DeviceBytes workspace(stream_.device(), workspace_bytes, "timing convolutions");
  double least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < kRuns; ++k) {
    Event begin(stream_.device(), true), end(stream_.device(), true);
    begin.record(stream_);
    run(operands_, workspace.data());
    end.record(stream_);
    end.synchronize();
    least = std::min(least, end.elapsed_us(begin));
  }
  return least;
}

}  // namespace hpmp::cuda
