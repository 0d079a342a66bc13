// What cuDNN, asked without a GPU, has engines for on an H200. Needs a build with cuDNN's headers,
// and its libraries (HPMP_CUDNN); without them there is nobody to ask.
#include "check.h"
#include "engine/cuda/conv_plans.h"

using namespace hpmp;
using namespace hpmp::cuda;

namespace {

constexpr const char* kH200 = R"({"deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0,
"maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
"regsPerBlock": 65536, "multiProcessorCount": 132, "warpSize": 32,
"maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
"reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32,
"maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0,
"supportCoopLaunch": 1, "totalGlobalMem": 150000000000, "smClockRateKHz": 1980000,
"memClockRateKHz": 3201000, "l2CacheSize": 62914560, "deviceName": "NVIDIA H200"})";

ConvShape square(int c, int k, int groups, int input, int output, int kernel, int stride, int pad) {
  const PoolAxis axis{input, output, kernel, stride, pad, pad, 1};
  return {64, c, k, groups, axis, axis};
}

ConvShape dense(int in, int out) { return square(in, out, 1, 1, 1, 1, 1, 0); }

/// The kinds of layers of AlexNet, VGG, ResNets and MobileNetV2, and one of odd channels.
std::vector<ConvShape> shapes() {
  return {square(3, 64, 1, 224, 112, 7, 2, 3),
          square(3, 64, 1, 224, 55, 11, 4, 2),
          square(64, 64, 1, 56, 56, 3, 1, 1),
          square(64, 256, 1, 56, 56, 1, 1, 0),
          square(128, 128, 1, 56, 28, 3, 2, 1),
          square(256, 512, 1, 56, 28, 1, 2, 0),
          square(512, 512, 1, 7, 7, 3, 1, 1),
          square(96, 96, 96, 56, 56, 3, 1, 1),
          square(96, 96, 96, 112, 56, 3, 2, 1),
          square(128, 128, 32, 28, 28, 3, 1, 1),
          square(13, 7, 1, 28, 28, 3, 1, 1),
          dense(25088, 4096),
          dense(512, 10)};
}

void check_engine(const ConvPlanSpec& spec) {
  std::string why;
  if (has_conv_engine(spec, kH200, why)) return;
  const ConvShape& s = spec.shape;
  check::failed(__FILE__, __LINE__,
                "pass " + std::to_string(static_cast<int>(spec.pass)) + " of " +
                    std::to_string(s.c) + " to " + std::to_string(s.k) + " channels, " +
                    std::to_string(s.rows.kernel) + " taps, numerics " +
                    std::to_string(static_cast<int>(spec.numerics)) + ": " + why);
}

void check_passes(ConvPlanSpec spec) {
  for (ConvPass pass : {ConvPass::data_grad, ConvPass::weight_grad, ConvPass::forward}) {
    spec.pass = pass;
    check_engine(spec);
  }
  for (bool adds : {false, true}) {
    for (bool relu : {false, true}) {
      spec.biased = true;
      spec.adds = adds;
      spec.relu = relu;
      check_engine(spec);
      if (!relu) continue;
      ConvPlanSpec clipped = spec;
      clipped.most = 6;
      check_engine(clipped);
    }
  }
}

}  // namespace

TEST(every_pass_has_a_deterministic_engine_in_all_numerics) {
  std::string why;
  if (!is_cudnn_there(why)) {
    std::printf("nobody to ask: %s\n", why.c_str());
    return;
  }
  for (const ConvShape& shape : shapes()) {
    for (Numerics numerics : {Numerics::fp32, Numerics::tf32, Numerics::bf16}) {
      ConvPlanSpec spec;
      spec.shape = shape;
      spec.numerics = numerics;
      spec.storage = numerics == Numerics::bf16 ? DType::bf16 : DType::fp32;
      check_passes(spec);
    }
  }
}

TEST(plans_are_shared_by_specs_that_differ_in_nothing_that_matters) {
  ConvPlanSpec spec;
  spec.shape = square(8, 16, 1, 14, 7, 3, 2, 1);
  ConvPlanSpec other = spec;
  other.shape.rows.pad_after = 0;  // the windows stop before
  CHECK(key_of(other) == key_of(spec));
  std::vector<ConvPlanSpec> different(9, spec);
  different[0].pass = ConvPass::weight_grad;
  different[1].shape.n = 65;
  different[2].shape.columns.stride = 1;
  different[3].storage = DType::bf16;
  different[4].numerics = Numerics::tf32;
  different[5].biased = true;
  different[6].adds = true;
  different[7].relu = true;
  different[8].most = 6;
  for (const ConvPlanSpec& d : different) CHECK(key_of(d) != key_of(spec));
}
