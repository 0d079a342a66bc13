// The fatbin that the build embedded; without one, NVRTC.
#include "engine/cuda/kernel_image.h"

#ifdef HPMP_KERNEL_FATBIN
asm(".section .rodata\n"
    ".balign 64\n"
    "hpmp_kernel_fatbin:\n"
    ".incbin \"" HPMP_KERNEL_FATBIN
    "\"\n"
    "hpmp_kernel_fatbin_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const char hpmp_kernel_fatbin[], hpmp_kernel_fatbin_end[];
#endif

#include "engine/cuda/nvrtc.h"

namespace hpmp::cuda {

std::string kernel_image(int major, int minor) {
#ifdef HPMP_KERNEL_FATBIN
  (void)major, (void)minor;
  return {hpmp_kernel_fatbin, hpmp_kernel_fatbin_end};
#else
  return compile_kernels(major, minor);
#endif
}

}  // namespace hpmp::cuda
