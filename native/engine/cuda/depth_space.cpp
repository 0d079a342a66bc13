// depth_to_space and space_to_depth: one copy, read in either direction.
#include "engine/cuda/kernels/depth_space.h"

#include "engine/cuda/kernels.h"

namespace hpmp::cuda {
namespace {

class DepthSpace : public Kernel {
 public:
  DepthSpace(const KernelSpec& spec, bool widens, const Target& target)
      : stream_(target.stream),
        block_(static_cast<int>(node_of(spec).attrs.block)),
        widens_(widens),
        move_(*stream_.device(), "depth_space", target.storage) {}

  void forward(const ForwardArgs& args) override {
    move(args.inputs[0], args.output, widens_, false);
  }

  void backward(const BackwardArgs& args) override {
    if (args.grad_inputs[0].data)
      move(args.grad_output, args.grad_inputs[0], !widens_, args.accumulate[0]);
  }

 private:
  void move(const TensorRef& from, const TensorRef& to, bool widens, bool accumulate) const {
    ensure_nhwc(from);
    const TensorRef &deep = widens ? from : to, &wide = widens ? to : from;
    move_.run(stream_, to.elems(),
              {0, block_, static_cast<int>(deep.h), static_cast<int>(deep.w),
               static_cast<int>(wide.c), widens, from.data, to.data, accumulate});
  }

  Stream& stream_;
  int block_;
  bool widens_;
  NarrowEntry<DepthSpaceArgs> move_;
};

}  // namespace

KernelPtr make_depth_space(const KernelSpec& spec, const Target& target) {
  return std::make_unique<DepthSpace>(spec, node_of(spec).op == OpKind::depth_to_space, target);
}

}  // namespace hpmp::cuda
