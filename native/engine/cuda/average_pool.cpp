// average_pool and global_average_pool.
#include "engine/cuda/column_sums.h"
#include "engine/cuda/kernels.h"
#include "engine/cuda/pool_axis.h"

namespace hpmp::cuda {
namespace {

class AveragePool : public Kernel {
 public:
  AveragePool(const KernelSpec& spec, const Attrs& attrs, const Target& target)
      : stream_(target.stream),
        include_pad_(attrs.count_include_pad),
        rows_(axis_of(attrs, 0, spec.input_shapes[0].h, spec.output_shape.h)),
        columns_(axis_of(attrs, 1, spec.input_shapes[0].w, spec.output_shape.w)),
        forward_(*stream_.device(), "average_pool_forward", target.storage),
        backward_(*stream_.device(), "average_pool_backward", target.storage) {}

  void forward(const ForwardArgs& args) override {
    run(forward_, args.inputs[0], args.output, false);
  }

  void backward(const BackwardArgs& args) override {
    if (args.grad_inputs[0].data)
      run(backward_, args.grad_output, args.grad_inputs[0], args.accumulate[0]);
  }

 private:
  void run(const WideEntry<AveragePoolArgs>& entry, const TensorRef& from, const TensorRef& to,
           bool accumulate) const {
    ensure_nhwc(from);
    entry.run(
        stream_, to.elems(), to.c, {from.data, to.data},
        {0, static_cast<int>(to.c), include_pad_, rows_, columns_, from.data, to.data, accumulate});
  }

  Stream& stream_;
  bool include_pad_;
  PoolAxis rows_, columns_;
  WideEntry<AveragePoolArgs> forward_, backward_;
};

class GlobalAveragePool : public Kernel {
 public:
  GlobalAveragePool(const KernelSpec& spec, const Target& target)
      : stream_(target.stream),
        sums_(target, spec.samples, spec.input_shapes[0].h * spec.input_shapes[0].w,
              spec.output_shape.c),
        store_sums_(*stream_.device(), "store_sums", target.storage),
        spread_(*stream_.device(), "spread_pixels", target.storage) {}

  std::size_t scratch_bytes() const override { return sums_.scratch_bytes(); }

  void forward(const ForwardArgs& args) override {
    const TensorRef &x = args.inputs[0], &y = args.output;
    ensure_nhwc(x);
    const SumPair* sums = sums_.run(kValues, x.data, nullptr, args.scratch);
    store_sums_.run(stream_, y.elems(),
                    {0, 0, sums, 1.0 / static_cast<double>(x.pixels()), y.data, 0});
  }

  void backward(const BackwardArgs& args) override {
    const TensorRef &dy = args.grad_output, &dx = args.grad_inputs[0];
    if (!dx.data) return;
    spread_.run(stream_, dx.elems(), dx.c, {dy.data, dx.data},
                {0, static_cast<int>(dx.c), static_cast<int>(dx.pixels()),
                 1 / static_cast<float>(dx.pixels()), dy.data, dx.data, args.accumulate[0]});
  }

 private:
  Stream& stream_;
  ColumnSums sums_;
  NarrowEntry<StoreSumsArgs> store_sums_;
  WideEntry<SpreadArgs> spread_;
};

}  // namespace

KernelPtr make_average_pool(const KernelSpec& spec, const Target& target) {
  return std::make_unique<AveragePool>(spec, node_of(spec).attrs, target);
}

KernelPtr make_global_average_pool(const KernelSpec& spec, const Target& target) {
  return std::make_unique<GlobalAveragePool>(spec, target);
}

}  // namespace hpmp::cuda
