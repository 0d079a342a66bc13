// A build without cuDNN's headers: no convolution has a plan.
#include "engine/cuda/conv_plans.h"

namespace hpmp::cuda {

std::unique_ptr<ConvPlan> make_conv_plan(const Stream&, const ConvPlanSpec&, std::string& why) {
  why = "this hpmp was built without cuDNN's headers";
  return nullptr;
}

}  // namespace hpmp::cuda
