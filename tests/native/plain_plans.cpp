// cuDNN as the plain kernels know it: in the place of its plans, so that what packs, finishes and
// adds for them is tested without it. It has no engine that adds, and it ruins its workspace.
#include <limits>

#include "engine/cuda/conv_plans.h"
#include "engine/cuda/kernels/layout.h"

namespace hpmp::cuda {
namespace {

constexpr std::size_t kWorkspace = 1000;

class PlainPlan : public ConvPlan {
 public:
  PlainPlan(const Stream& stream, const ConvPlanSpec& spec)
      : stream_(stream.device(), stream.handle()),
        spec_(spec),
        weights_(stream.device(), elems() * sizeof(float), "a filter"),
        bias_(stream.device(), static_cast<std::size_t>(spec.shape.k) * sizeof(float), "a bias"),
        forward_(*stream.device(), "conv_forward", spec.storage),
        data_grad_(*stream.device(), "conv_data_grad", spec.storage),
        weight_grad_(*stream.device(), "conv_weight_grad", spec.storage),
        pack_(*stream.device(), "pack_filter", spec.storage),
        unpack_(*stream.device(), "put_filter_grad", spec.storage) {}

  std::size_t workspace_bytes() const override { return kWorkspace; }

  void run(const ConvOperands& operands, std::byte* workspace) override {
    stream_.fill(workspace, 0xff, kWorkspace);
    const ConvShape& s = spec_.shape;
    if (spec_.pass == ConvPass::weight_grad) {
      weight_grad_.run(stream_, count(), {0, s, operands.x, operands.y, floats(weights_), 0});
      pack_.run(stream_, count(),
                {0, channels(), taps(), weights_.data(), const_cast<void*>(operands.filter), 0});
      return;
    }
    unpack(operands.filter, weights_, count(), channels(), taps());
    if (spec_.pass == ConvPass::data_grad)
      data_grad_.run(stream_, pixels(s.rows.input, s.columns.input) * s.c,
                     {0, s, operands.y, floats(weights_), const_cast<void*>(operands.x), 0});
    else
      forward(operands);
  }

 private:
  void forward(const ConvOperands& operands) {
    const ConvShape& s = spec_.shape;
    constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
    if (spec_.biased) unpack(operands.bias, bias_, s.k, s.k, 1);
    forward_.run(stream_, pixels(s.rows.output, s.columns.output) * s.k,
                 {0, s, spec_.relu ? 0 : kNone, spec_.relu ? spec_.most : kNone, operands.x,
                  floats(weights_), spec_.biased ? floats(bias_) : nullptr, nullptr,
                  const_cast<void*>(operands.y)});
  }

  void unpack(const void* from, const DeviceBytes& to, std::int64_t count, int c, int taps) {
    unpack_.run(stream_, count, {0, c, taps, from, to.data(), 0});
  }

  static float* floats(const DeviceBytes& bytes) { return reinterpret_cast<float*>(bytes.data()); }
  std::int64_t pixels(int h, int w) const { return std::int64_t{spec_.shape.n} * h * w; }
  int channels() const { return spec_.shape.c / spec_.shape.groups; }
  int taps() const { return spec_.shape.rows.kernel * spec_.shape.columns.kernel; }
  std::int64_t count() const { return std::int64_t{spec_.shape.k} * channels() * taps(); }
  std::size_t elems() const { return static_cast<std::size_t>(count()); }

  Stream stream_;
  ConvPlanSpec spec_;
  DeviceBytes weights_, bias_;
  NarrowEntry<ConvArgs> forward_;
  NarrowEntry<ConvDataGradArgs> data_grad_;
  NarrowEntry<ConvWeightGradArgs> weight_grad_;
  NarrowEntry<FilterArgs> pack_, unpack_;
};

}  // namespace

bool is_cudnn_there(std::string&) { return true; }

bool has_conv_engine(const ConvPlanSpec& spec, const std::string&, std::string&) {
  return !spec.adds;
}

std::unique_ptr<ConvPlan> make_conv_plan(const Stream& stream, const ConvPlanSpec& spec,
                                         std::string& why) {
  why = "it has no engine that adds";
  return spec.adds ? nullptr : std::make_unique<PlainPlan>(stream, spec);
}

}  // namespace hpmp::cuda
