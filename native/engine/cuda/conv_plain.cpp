// Convolutions by the plain kernels: right, and slow.
#include "engine/cuda/conv_passes.h"

namespace hpmp::cuda {
namespace {

class PlainConv : public ConvPasses {
 public:
  PlainConv(const ConvProblem& problem, const Target& target)
      : stream_(target.stream),
        problem_(problem),
        shape_(problem.shape),
        forward_(*stream_.device(), "conv_forward", target.storage),
        data_grad_(*stream_.device(), "conv_data_grad", target.storage),
        weight_grad_(*stream_.device(), "conv_weight_grad", target.storage) {}

  void load(const float* weights, const float*) override { weights_ = weights; }

  void forward(const void* x, const float* bias, const void* addend, void* y, std::byte*) override {
    forward_.run(
        stream_, elems(shape_.rows.output, shape_.columns.output, shape_.k),
        {0, shape_, problem_.bounds.low, problem_.bounds.high, x, weights_, bias, addend, y});
  }

  void data_grad(const void* dy, void* dx, bool accumulate, std::byte*) override {
    data_grad_.run(stream_, elems(shape_.rows.input, shape_.columns.input, shape_.c),
                   {0, shape_, dy, weights_, dx, accumulate});
  }

  void weight_grad(const void* x, const void* dy, float* grad, bool accumulate,
                   std::byte*) override {
    const std::int64_t taps = shape_.rows.kernel * shape_.columns.kernel;
    weight_grad_.run(stream_, std::int64_t{shape_.k} * (shape_.c / shape_.groups) * taps,
                     {0, shape_, x, dy, grad, accumulate});
  }

 private:
  std::int64_t elems(std::int64_t h, std::int64_t w, std::int64_t c) const {
    return shape_.n * h * w * c;
  }

  Stream& stream_;
  ConvProblem problem_;
  ConvShape shape_;
  const float* weights_ = nullptr;
  NarrowEntry<ConvArgs> forward_;
  NarrowEntry<ConvDataGradArgs> data_grad_;
  NarrowEntry<ConvWeightGradArgs> weight_grad_;
};

}  // namespace

std::unique_ptr<ConvPasses> make_plain_conv(const ConvProblem& problem, const Target& target) {
  return std::make_unique<PlainConv>(problem, target);
}

}  // namespace hpmp::cuda
