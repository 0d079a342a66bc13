// resample: the taps of both axes, worked out by the CPU's code, and transposed for backward.
#include "engine/cuda/kernels/resample.h"

#include <algorithm>

#include "engine/cpu/resample_taps.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/table.h"

namespace hpmp::cuda {
namespace {

using cpu::Taps;

/// One row per input position instead of one per output.
Taps transposed(const Taps& taps, std::int64_t input) {
  std::vector<std::vector<std::size_t>> of_input(static_cast<std::size_t>(input));
  std::vector<std::int64_t> output_of(taps.at.size());
  for (std::int64_t o = 0; o < taps.outputs(); ++o) {
    const auto begin = static_cast<std::size_t>(taps.begin[static_cast<std::size_t>(o)]);
    const auto end = static_cast<std::size_t>(taps.begin[static_cast<std::size_t>(o) + 1]);
    for (std::size_t k = begin; k < end; ++k) {
      output_of[k] = o;
      of_input[static_cast<std::size_t>(taps.at[k])].push_back(k);
    }
  }
  Taps t;
  for (const std::vector<std::size_t>& own : of_input) {
    for (std::size_t k : own) {
      t.at.push_back(output_of[k]);
      t.weight.push_back(taps.weight[k]);
    }
    t.begin.push_back(static_cast<std::int64_t>(t.at.size()));
  }
  return t;
}

/// On the GPU.
class HeldTaps {
 public:
  HeldTaps(Stream& stream, const Taps& taps)
      : begin_(stream, ints(taps.begin)),
        at_(stream, ints(taps.at)),
        weight_(stream, taps.weight) {}

  TapTable table() const { return {begin_.data(), at_.data(), weight_.data()}; }
  std::size_t bytes() const { return begin_.bytes() + at_.bytes() + weight_.bytes(); }

 private:
  static std::vector<int> ints(const std::vector<std::int64_t>& numbers) {
    return {numbers.begin(), numbers.end()};
  }

  Table<int> begin_, at_;
  Table<float> weight_;
};

class Resample : public Kernel {
 public:
  Resample(const KernelSpec& spec, const Taps& rows, const Taps& columns, const Target& target)
      : stream_(target.stream),
        fill_(static_cast<float>(node_of(spec).attrs.border_value)),
        rows_(stream_, rows),
        columns_(stream_, columns),
        rows_back_(stream_, transposed(rows, spec.input_shapes[0].h)),
        columns_back_(stream_, transposed(columns, spec.input_shapes[0].w)),
        resample_(*stream_.device(), "resample", target.storage) {}

  std::size_t resident_bytes() const override {
    return rows_.bytes() + columns_.bytes() + rows_back_.bytes() + columns_back_.bytes();
  }

  void forward(const ForwardArgs& args) override {
    run(args.inputs[0], args.output, rows_, columns_, fill_, false);
  }

  void backward(const BackwardArgs& args) override {
    if (args.grad_inputs[0].data)
      run(args.grad_output, args.grad_inputs[0], rows_back_, columns_back_, 0, args.accumulate[0]);
  }

 private:
  void run(const TensorRef& from, const TensorRef& to, const HeldTaps& rows,
           const HeldTaps& columns, float fill, bool accumulate) const {
    ensure_nhwc(from);
    resample_.run(stream_, to.elems(), to.c, {from.data, to.data},
                  {0, static_cast<int>(to.c), static_cast<int>(from.h), static_cast<int>(from.w),
                   static_cast<int>(to.h), static_cast<int>(to.w), rows.table(), columns.table(),
                   fill, from.data, to.data, accumulate});
  }

  Stream& stream_;
  float fill_;
  HeldTaps rows_, columns_, rows_back_, columns_back_;
  WideEntry<ResampleArgs> resample_;
};

}  // namespace

KernelPtr make_resample(const KernelSpec& spec, const Target& target) {
  const Attrs& attrs = node_of(spec).attrs;
  return std::make_unique<Resample>(spec, cpu::resample_taps(attrs, 0, spec.input_shapes[0].h),
                                    cpu::resample_taps(attrs, 1, spec.input_shapes[0].w), target);
}

}  // namespace hpmp::cuda
