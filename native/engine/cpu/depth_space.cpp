// depth_to_space and space_to_depth: one copy, read in either direction.
#include "engine/cpu/kernels.h"
#include "engine/cpu/loops.h"

namespace hpmp::cpu {

namespace {

/// Calls f(offset in deep, offset in wide) for every element of one sample and wide channel; deep
/// has block * block channels for each of the wide tensor's.
template <class F>
void for_pairs(const TensorRef& deep, const TensorRef& wide, std::int64_t block, std::int64_t i,
               std::int64_t c, const F& f) {
  for (std::int64_t k = 0; k < block * block; ++k) {
    const std::int64_t from = deep.at(i, c * block * block + k, 0);
    const std::int64_t row = k / block, column = k % block;
    for (std::int64_t h = 0; h < deep.h; ++h) {
      const std::int64_t to = wide.at(i, c, (h * block + row) * wide.w + column);
      for (std::int64_t w = 0; w < deep.w; ++w)
        f(from + (h * deep.w + w) * deep.block, to + w * block * wide.block);
    }
  }
}

template <class T>
class DepthSpace : public Kernel {
 public:
  DepthSpace(const KernelSpec& spec, bool widens)
      : block_(node_of(spec).attrs.block), widens_(widens) {}

  void forward(const ForwardArgs& args) override {
    move(args.inputs[0], args.output, widens_, false);
  }
  void backward(const BackwardArgs& args) override {
    if (args.grad_inputs[0].data)
      move(args.grad_output, args.grad_inputs[0], !widens_, args.accumulate[0]);
  }

 private:
  void move(const TensorRef& source, const TensorRef& target, bool widens, bool accumulate) const {
    const TensorOf<T> from(source), to(target);
    const TensorRef &deep = widens ? from : to, &wide = widens ? to : from;
    with_flag(accumulate, [&](auto add) {
      parallel_for(wide.n * wide.c, wide.elems() >= kMinParallelElems, [&](std::int64_t k) {
        for_pairs(deep, wide, block_, k / wide.c, k % wide.c, [&](std::int64_t d, std::int64_t w) {
          put(to.data[widens ? w : d], from.data[widens ? d : w], add);
        });
      });
    });
  }

  std::int64_t block_;
  bool widens_;
};

}  // namespace

KernelPtr make_depth_to_space(const KernelSpec& spec) {
  return make_stored<DepthSpace>(spec, spec, true);
}
KernelPtr make_space_to_depth(const KernelSpec& spec) {
  return make_stored<DepthSpace>(spec, spec, false);
}

}  // namespace hpmp::cpu
