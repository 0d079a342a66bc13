// The files of kernels/, as the build embedded them.
#pragma once

#include <vector>

namespace hpmp::cuda {

/// `name`: as in an #include.
struct KernelText {
  const char *name, *text;
};

const std::vector<KernelText>& kernel_texts();

}  // namespace hpmp::cuda
