#include "engine/cuda/nvrtc.h"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/cuda/kernel_text.h"

namespace hpmp::cuda {
namespace {

/// NVRTC's functions, found at run time as the driver's are.
struct Nvrtc {
  void* library = nullptr;

  template <class... Args>
  void call(const char* symbol, Args... args) const {
    const int result = raw(symbol, args...);
    if (result != 0)
      fail(ErrorCode::device_error, std::string("cannot compile the GPU kernels: ") + symbol +
                                        " says " + std::to_string(result) +
                                        "; build with nvcc on PATH instead");
  }
  template <class... Args>
  int raw(const char* symbol, Args... args) const {
    const auto function = reinterpret_cast<int (*)(Args...)>(dlsym(library, symbol));
    ensure(function != nullptr, "NVRTC has its documented functions");
    return function(args...);
  }
};

Nvrtc open_nvrtc() {
  std::vector<const char*> names{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
  if (const char* named = std::getenv("HPMP_NVRTC")) names.insert(names.begin(), named);
  for (const char* name : names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return {library};
  }
  fail(ErrorCode::device_error,
       "cannot compile the GPU kernels: this build had no nvcc, and libnvrtc is not found; build "
       "with nvcc on PATH, or set HPMP_NVRTC to libnvrtc.so");
}

std::string log_of(const Nvrtc& nvrtc, void* program) {
  std::size_t bytes = 0;
  nvrtc.call("nvrtcGetProgramLogSize", program, &bytes);
  std::string log(bytes, '\0');
  nvrtc.call("nvrtcGetProgramLog", program, log.data());
  return log;
}

std::string cubin_of(const Nvrtc& nvrtc, void* program) {
  std::size_t bytes = 0;
  nvrtc.call("nvrtcGetCUBINSize", program, &bytes);
  std::string cubin(bytes, '\0');
  nvrtc.call("nvrtcGetCUBIN", program, cubin.data());
  return cubin;
}

std::string compiled_kernels(int major, int minor) {
  const Nvrtc nvrtc = open_nvrtc();
  std::vector<const char*> names, texts;
  for (const KernelText& file : kernel_texts()) {
    names.push_back(file.name);
    texts.push_back(file.text);
  }
  void* program = nullptr;
  nvrtc.call("nvrtcCreateProgram", &program, "#include \"engine/cuda/kernels/all.cu\"\n",
             "kernels.cu", static_cast<int>(names.size()), texts.data(), names.data());
  const std::string arch = "-arch=sm_" + std::to_string(major) + std::to_string(minor);
  const char* options[] = {"-std=c++17", arch.c_str()};
  const int result = nvrtc.raw("nvrtcCompileProgram", program, 2, &options[0]);
  if (result != 0)
    fail(ErrorCode::device_error,
         "cannot compile the GPU kernels for " + arch + ": " + log_of(nvrtc, program));
  std::string cubin = cubin_of(nvrtc, program);
  nvrtc.call("nvrtcDestroyProgram", &program);
  return cubin;
}

}  // namespace

std::string compile_kernels(int major, int minor) {
  static std::mutex lock;
  static std::map<std::pair<int, int>, std::string> known;
  const std::lock_guard<std::mutex> guard(lock);
  std::string& cubin = known[{major, minor}];
  if (cubin.empty()) cubin = compiled_kernels(major, minor);
  return cubin;
}

}  // namespace hpmp::cuda
