// Loading the driver, and its errors in words.
#include "engine/cuda/driver.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace hpmp::cuda {
namespace {

void* open_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  fail(ErrorCode::device_error, std::string("cannot use CUDA: ") + dlerror() +
                                    "; install NVIDIA's driver, or set HPMP_CUDA_DRIVER to its "
                                    "libcuda.so.1");
}

template <class F>
void find(void* library, const char* path, const char* symbol, F& function) {
  function = reinterpret_cast<F>(dlsym(library, symbol));
  if (function == nullptr)
    fail(ErrorCode::device_error, std::string("cannot use CUDA: '") + path + "' has no " + symbol +
                                      "; install a driver of CUDA 12 or newer");
}

}  // namespace

Driver load_driver(const char* path) {
  void* library = open_library(path);
  Driver loaded;
#define HPMP_FIND(name, symbol, ...) find(library, path, symbol, loaded.name);
  HPMP_DRIVER_FUNCTIONS(HPMP_FIND)
#undef HPMP_FIND
  check(loaded, loaded.init(0), "start the CUDA driver");
  return loaded;
}

const Driver& driver() {
  static const Driver loaded = [] {
    const char* named = std::getenv("HPMP_CUDA_DRIVER");
    return load_driver(named == nullptr || *named == '\0' ? "libcuda.so.1" : named);
  }();
  return loaded;
}

void check(const Driver& driver, Result result, const char* what) {
  if (result == 0) return;
  const char *name = nullptr, *text = nullptr;
  driver.error_name(result, &name);
  driver.error_text(result, &text);
  fail(result == kOutOfMemory ? ErrorCode::out_of_memory : ErrorCode::device_error,
       std::string("cannot ") + what + ": " + (name ? name : "CUDA error") + " (" +
           std::to_string(result) + ")" + (text ? std::string(": ") + text : ""));
}

}  // namespace hpmp::cuda
