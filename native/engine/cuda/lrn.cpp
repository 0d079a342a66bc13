// lrn: the input holds the output's channels and their halo.
#include "engine/cuda/kernels/lrn.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/table.h"

namespace hpmp::cuda {
namespace {

/// For every member of `of`, its packed position in `in`; -1 where it is none.
std::vector<int> positions(const Ranges& of, const Ranges& in) {
  std::vector<int> all;
  for (Range r : of) {
    for (std::int64_t c = r.begin; c < r.end; ++c)
      all.push_back(static_cast<int>(packed_position(in, c)));
  }
  return all;
}

class Lrn : public Kernel {
 public:
  Lrn(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        attrs_(node_of(spec).attrs),
        factor_(static_cast<float>(attrs_.alpha / static_cast<double>(attrs_.size))),
        below_(static_cast<int>((attrs_.size - 1) / 2)),
        above_(static_cast<int>(attrs_.size / 2)),
        input_of_(stream_, positions(spec.channels, spec.input_channels[0])),
        output_of_(stream_, positions(spec.input_channels[0], spec.channels)),
        forward_(*stream_.device(), "lrn_forward", target.storage),
        backward_(*stream_.device(), "lrn_backward", target.storage) {}

  std::size_t resident_bytes() const override { return input_of_.bytes() + output_of_.bytes(); }

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure_nhwc(x);
    forward_.run(stream_, y.elems(),
                 {0, static_cast<int>(x.c), static_cast<int>(y.c), below_, above_,
                  static_cast<float>(attrs_.bias), factor_, static_cast<float>(attrs_.beta),
                  input_of_.data(), x.data, y.data, reinterpret_cast<float*>(args.saved)});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    ensure(args.saved, "lrn has the scale of its forward pass");
    backward_.run(stream_, dx.elems(),
                  {0, static_cast<int>(x.c), static_cast<int>(dy.c), below_, above_, factor_,
                   static_cast<float>(attrs_.beta), output_of_.data(), x.data, dy.data,
                   reinterpret_cast<const float*>(args.saved), dx.data, args.accumulate[0]});
  }

 private:
  Stream& stream_;
  Attrs attrs_;
  float factor_;
  int below_, above_;
  Table<int> input_of_, output_of_;
  NarrowEntry<LrnArgs> forward_;
  NarrowEntry<LrnGradArgs> backward_;
};

}  // namespace

KernelPtr make_lrn(const KernelSpec& spec, const Target& target) {
  return std::make_unique<Lrn>(spec, target);
}

}  // namespace hpmp::cuda
