// A libcuda whose GPU is the host: work is queued, and done when somebody waits for it, so that
// what is read or freed too early is found. It cannot find races between threads of a kernel.
#include <dlfcn.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

using Result = int;
using Address = unsigned long long;
using Work = std::function<void()>;

namespace {

constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kNotFound = 500;
constexpr std::size_t kMemory = std::size_t{1} << 33;

struct Kernel {
  void (*run)(const void* args, unsigned grid, unsigned block);
  unsigned args_bytes;
};

/// Of all streams, in the order of their calls, which is one that events allow.
std::deque<Work>& queue() {
  static std::deque<Work> work;
  return work;
}
std::vector<Work>*& captured() {
  static std::vector<Work>* graph = nullptr;
  return graph;
}
std::map<Address, std::size_t>& blocks() {
  static std::map<Address, std::size_t> all;
  return all;
}
std::map<std::string, Kernel>& kernels() {
  static std::map<std::string, Kernel> all;
  return all;
}

Result submit(Work work) {
  if (captured() != nullptr) {
    captured()->push_back(std::move(work));
  } else {
    queue().push_back(std::move(work));
  }
  return kSuccess;
}

Result finish() {
  if (captured() != nullptr) return kInvalidValue;  // as a stream that is captured says
  while (!queue().empty()) {
    const Work work = std::move(queue().front());
    queue().pop_front();
    work();
  }
  return kSuccess;
}

void* own_symbol(const char* name) {
  static void* self = [] {
    Dl_info info;
    dladdr(reinterpret_cast<void*>(&finish), &info);
    return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }();
  return dlsym(self, name);
}

Result copy(void* to, const void* from, std::size_t bytes) {
  return submit([=] { std::memcpy(to, from, bytes); });
}

void* at(Address address) { return reinterpret_cast<void*>(address); }

}  // namespace

#define HPMP_FAKE extern "C" __attribute__((visibility("default"))) Result

HPMP_FAKE cuInit(unsigned) { return kSuccess; }
HPMP_FAKE cuDeviceGetCount(int* count) { return *count = 1, kSuccess; }
HPMP_FAKE cuDeviceGet(int* device, int ordinal) { return *device = ordinal, kSuccess; }
HPMP_FAKE cuDeviceGetName(char* name, int size, int) {
  std::strncpy(name, "the host", static_cast<std::size_t>(size));
  return kSuccess;
}
HPMP_FAKE cuDeviceGetAttribute(int* value, int, int) { return *value = 1, kSuccess; }
HPMP_FAKE cuDevicePrimaryCtxRetain(void** context, int) { return *context = nullptr, kSuccess; }
HPMP_FAKE cuDevicePrimaryCtxRelease_v2(int) { return finish(); }
HPMP_FAKE cuCtxSetCurrent(void*) { return kSuccess; }

HPMP_FAKE cuMemAlloc_v2(Address* address, std::size_t bytes) {
  if (bytes > kMemory) return kOutOfMemory;
  void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(memory, 0xff, bytes);
  *address = reinterpret_cast<Address>(memory);
  blocks()[*address] = bytes;
  return kSuccess;
}
HPMP_FAKE cuMemFree_v2(Address address) {
  if (blocks().erase(address) == 0) return kInvalidValue;
  finish();
  std::free(at(address));
  return kSuccess;
}
HPMP_FAKE cuMemHostAlloc(void** data, std::size_t bytes, unsigned) {
  return *data = std::malloc(bytes), kSuccess;
}
HPMP_FAKE cuMemFreeHost(void* data) { return finish(), std::free(data), kSuccess; }

HPMP_FAKE cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, void*) {
  return copy(at(to), from, bytes);
}
HPMP_FAKE cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, void*) {
  return copy(to, at(from), bytes);
}
HPMP_FAKE cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, void*) {
  return copy(at(to), at(from), bytes);
}
HPMP_FAKE cuMemsetD8Async(Address to, unsigned char value, std::size_t bytes, void*) {
  return submit([=] { std::memset(at(to), value, bytes); });
}

HPMP_FAKE cuStreamCreate(void** stream, unsigned) { return *stream = nullptr, kSuccess; }
HPMP_FAKE cuStreamDestroy_v2(void*) { return finish(); }
HPMP_FAKE cuStreamSynchronize(void*) { return finish(); }
HPMP_FAKE cuStreamWaitEvent(void*, void*, unsigned) { return kSuccess; }
HPMP_FAKE cuEventCreate(void** event, unsigned) { return *event = new bool(false), kSuccess; }
HPMP_FAKE cuEventDestroy_v2(void* event) {
  return finish(), delete static_cast<bool*>(event), kSuccess;
}
HPMP_FAKE cuEventRecord(void* event, void*) {
  *static_cast<bool*>(event) = false;
  return submit([=] { *static_cast<bool*>(event) = true; });
}
HPMP_FAKE cuEventQuery(void* event) { return *static_cast<bool*>(event) ? kSuccess : 600; }
HPMP_FAKE cuEventSynchronize(void*) { return finish(); }
HPMP_FAKE cuEventElapsedTime(float* milliseconds, void*, void*) {
  return *milliseconds = 0, kSuccess;
}

HPMP_FAKE cuModuleLoadData(void** module, const void*) { return *module = nullptr, kSuccess; }
HPMP_FAKE cuModuleUnload(void*) { return kSuccess; }
HPMP_FAKE cuModuleGetFunction(void** function, void*, const char* name) {
  void* run = own_symbol(name);
  void* bytes = own_symbol((std::string(name) + "_bytes").c_str());
  if (run == nullptr || bytes == nullptr) return kNotFound;
  Kernel& kernel = kernels()[name];
  kernel = {reinterpret_cast<void (*)(const void*, unsigned, unsigned)>(run),
            *static_cast<const unsigned*>(bytes)};
  *function = &kernel;
  return kSuccess;
}
HPMP_FAKE cuLaunchKernel(void* function, unsigned grid, unsigned, unsigned, unsigned block,
                         unsigned, unsigned, unsigned, void*, void** params, void**) {
  if (grid == 0 || block == 0 || block > 1024) return kInvalidValue;
  const Kernel kernel = *static_cast<const Kernel*>(function);
  std::vector<std::max_align_t> args(kernel.args_bytes / sizeof(std::max_align_t) + 1);
  std::memcpy(args.data(), params[0], kernel.args_bytes);
  return submit([kernel, args, grid, block] { kernel.run(args.data(), grid, block); });
}

HPMP_FAKE cuStreamBeginCapture_v2(void*, int) {
  return captured() = new std::vector<Work>, kSuccess;
}
HPMP_FAKE cuStreamEndCapture(void*, void** graph) {
  *graph = captured();
  captured() = nullptr;
  return kSuccess;
}
HPMP_FAKE cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return *executable = new std::vector<Work>(*static_cast<std::vector<Work>*>(graph)), kSuccess;
}
HPMP_FAKE cuGraphLaunch(void* executable, void*) {
  for (const Work& work : *static_cast<std::vector<Work>*>(executable)) submit(work);
  return kSuccess;
}
HPMP_FAKE cuGraphDestroy(void* graph) {
  return delete static_cast<std::vector<Work>*>(graph), kSuccess;
}
HPMP_FAKE cuGraphExecDestroy(void* executable) {
  return delete static_cast<std::vector<Work>*>(executable), kSuccess;
}

HPMP_FAKE cuGetErrorName(Result error, const char** name) {
  *name = error == kOutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == kNotFound  ? "CUDA_ERROR_NOT_FOUND"
                                : "CUDA_ERROR_INVALID_VALUE";
  return kSuccess;
}
HPMP_FAKE cuGetErrorString(Result, const char** text) { return *text = "fake", kSuccess; }
