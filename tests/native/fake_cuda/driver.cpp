// A libcuda whose GPU is the host. HPMP_FAKE_GPUS: how many there are.
#include <dlfcn.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "blocks.h"
#include "machine.h"

using Result = int;
using Address = unsigned long long;
using fake_cuda::Event;
using fake_cuda::machine;
using fake_cuda::Stream;
using fake_cuda::Work;

namespace {

constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201,
                 kNotFound = 500, kNotReady = 600, kNotSupported = 801, kNotInCapture = 900;
constexpr std::size_t kMemory = std::size_t{1} << 33;

struct Kernel {
  void (*run)(const void* args, unsigned grid, unsigned block);
  unsigned args_bytes;
};

using Lock = std::lock_guard<std::recursive_mutex>;

/// As the driver has them: of each thread.
thread_local bool has_context = false;
thread_local int captures = 0;

std::map<Address, fake_cuda::Block>& blocks() {
  static auto* all = new std::map<Address, fake_cuda::Block>;
  return *all;
}

void* own_symbol(const char* name) {
  static void* self = [] {
    Dl_info info;
    dladdr(reinterpret_cast<void*>(&blocks), &info);
    return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }();
  return dlsym(self, name);
}

Result submit(void* stream, Work work) {
  if (!has_context) return kInvalidContext;
  const Lock lock(machine().lock);
  machine().stream(stream)->submit(std::move(work));
  return kSuccess;
}

Result copy(void* stream, void* to, const void* from, std::size_t bytes) {
  return submit(stream, [=] { std::memcpy(to, from, bytes); });
}

/// HPMP_FAKE_IPC: what of it fails, as it does on some machines: "get" or "open".
bool ipc_fails(const char* part) {
  const char* given = std::getenv("HPMP_FAKE_IPC");
  return given != nullptr && std::strcmp(given, part) == 0;
}

/// Nothing that allocates or waits may happen while a stream is captured.
Result state() { return !has_context ? kInvalidContext : captures > 0 ? kNotInCapture : kSuccess; }

void* at(Address address) { return reinterpret_cast<void*>(address); }

}  // namespace

#define HPMP_FAKE extern "C" __attribute__((visibility("default"))) Result

HPMP_FAKE cuInit(unsigned) { return kSuccess; }
HPMP_FAKE cuDeviceGetCount(int* count) {
  const char* given = std::getenv("HPMP_FAKE_GPUS");
  return *count = given == nullptr ? 1 : std::atoi(given), kSuccess;
}
HPMP_FAKE cuDeviceGet(int* device, int ordinal) { return *device = ordinal, kSuccess; }
HPMP_FAKE cuDeviceGetName(char* name, int size, int device) {
  std::snprintf(name, static_cast<std::size_t>(size), "the host (%d)", device);
  return kSuccess;
}
HPMP_FAKE cuDeviceGetAttribute(int* value, int, int) { return *value = 1, kSuccess; }
HPMP_FAKE cuDevicePrimaryCtxRetain(void** context, int) { return *context = nullptr, kSuccess; }
HPMP_FAKE cuDevicePrimaryCtxRelease_v2(int) {
  const Lock lock(machine().lock);
  return machine().finish(), kSuccess;
}
HPMP_FAKE cuCtxSetCurrent(void*) { return has_context = true, kSuccess; }

HPMP_FAKE cuMemAlloc_v2(Address* address, std::size_t bytes) {
  if (state() != kSuccess) return state();
  if (bytes > kMemory) return kOutOfMemory;
  const fake_cuda::Block block = fake_cuda::take_block(bytes);
  std::memset(block.data, 0xff, bytes);
  *address = reinterpret_cast<Address>(block.data);
  const Lock lock(machine().lock);
  blocks()[*address] = block;
  return kSuccess;
}
HPMP_FAKE cuMemFree_v2(Address address) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  const auto found = blocks().find(address);
  if (found == blocks().end()) return kInvalidValue;
  machine().finish();
  fake_cuda::free_block(found->second);
  blocks().erase(found);
  return kSuccess;
}
HPMP_FAKE cuMemHostAlloc(void** data, std::size_t bytes, unsigned) {
  if (state() != kSuccess) return state();
  return *data = std::aligned_alloc(256, (bytes + 255) / 256 * 256), kSuccess;
}
HPMP_FAKE cuMemFreeHost(void* data) {
  const Lock lock(machine().lock);
  return machine().finish(), std::free(data), kSuccess;
}

HPMP_FAKE cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, void* stream) {
  return copy(stream, at(to), from, bytes);
}
HPMP_FAKE cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, void* stream) {
  return copy(stream, to, at(from), bytes);
}
HPMP_FAKE cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, void* stream) {
  return copy(stream, at(to), at(from), bytes);
}
extern "C" {
/// Memory of other processes that is open in this one: for tests.
__attribute__((visibility("default"))) long long hpmp_fake_open = 0;
}

HPMP_FAKE cuMemcpyAsync(Address to, Address from, std::size_t bytes, void* stream) {
  return copy(stream, at(to), at(from), bytes);
}
HPMP_FAKE cuIpcGetMemHandle(fake_cuda::Handle* handle, Address address) {
  const Lock lock(machine().lock);
  const auto found = blocks().find(address);
  if (ipc_fails("get") || found == blocks().end()) return kInvalidValue;
  return fake_cuda::handle_of(found->second, *handle) ? kSuccess : kNotSupported;
}
HPMP_FAKE cuIpcOpenMemHandle_v2(Address* address, fake_cuda::Handle handle, unsigned) {
  if (state() != kSuccess) return state();
  if (ipc_fails("open")) return kNotSupported;
  void* memory = fake_cuda::open_block(handle);
  if (memory == nullptr) return kInvalidContext;
  ++hpmp_fake_open;
  return *address = reinterpret_cast<Address>(memory), kSuccess;
}
HPMP_FAKE cuIpcCloseMemHandle(Address address) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  machine().finish();
  if (!fake_cuda::close_block(at(address))) return kInvalidValue;
  return --hpmp_fake_open, kSuccess;
}

HPMP_FAKE cuMemsetD8Async(Address to, unsigned char value, std::size_t bytes, void* stream) {
  return submit(stream, [=] { std::memset(at(to), value, bytes); });
}

HPMP_FAKE cuStreamCreate(void** stream, unsigned) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  return *stream = machine().create_stream(), kSuccess;
}
HPMP_FAKE cuStreamDestroy_v2(void* stream) {
  const Lock lock(machine().lock);
  return machine().destroy_stream(stream), kSuccess;
}
HPMP_FAKE cuStreamSynchronize(void* stream) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  const auto of = machine().stream(stream);
  return of->run_to(of->given), kSuccess;
}
HPMP_FAKE cuStreamWaitEvent(void* stream, void* event, unsigned) {
  const Event waited = *static_cast<Event*>(event);
  return submit(stream, [waited] {
    if (waited.stream != nullptr) waited.stream->run_to(waited.ticket);
  });
}
HPMP_FAKE cuEventCreate(void** event, unsigned) { return *event = new Event, kSuccess; }
HPMP_FAKE cuEventDestroy_v2(void* event) { return delete static_cast<Event*>(event), kSuccess; }
HPMP_FAKE cuEventRecord(void* event, void* stream) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  const auto of = machine().stream(stream);
  *static_cast<Event*>(event) = {of, of->given};
  return kSuccess;
}
/// Whoever asks often enough sees the work done.
HPMP_FAKE cuEventQuery(void* event) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  const Event& asked = *static_cast<Event*>(event);
  if (!asked.has_passed()) asked.stream->run_to(asked.stream->done + 1);
  return asked.has_passed() ? kSuccess : kNotReady;
}
HPMP_FAKE cuEventSynchronize(void* event) {
  if (state() != kSuccess) return state();
  const Lock lock(machine().lock);
  const Event& asked = *static_cast<Event*>(event);
  if (asked.stream != nullptr) asked.stream->run_to(asked.ticket);
  return kSuccess;
}
HPMP_FAKE cuEventElapsedTime(float* milliseconds, void*, void*) {
  return *milliseconds = 0, kSuccess;
}

HPMP_FAKE cuModuleLoadData(void** module, const void*) { return *module = nullptr, kSuccess; }
HPMP_FAKE cuModuleUnload(void*) { return kSuccess; }
HPMP_FAKE cuModuleGetFunction(void** function, void*, const char* name) {
  static auto* kernels = new std::map<std::string, Kernel>;
  void* run = own_symbol(name);
  void* bytes = own_symbol((std::string(name) + "_bytes").c_str());
  if (run == nullptr || bytes == nullptr) return kNotFound;
  const Lock lock(machine().lock);
  const Kernel kernel{reinterpret_cast<void (*)(const void*, unsigned, unsigned)>(run),
                      *static_cast<const unsigned*>(bytes)};
  *function = &kernels->try_emplace(name, kernel).first->second;
  return kSuccess;
}

extern "C" {
/// Kernels launched one by one, not of captured runs: for tests.
__attribute__((visibility("default"))) long long hpmp_fake_launches = 0;
}

HPMP_FAKE cuLaunchKernel(void* function, unsigned grid, unsigned, unsigned, unsigned block,
                         unsigned, unsigned, unsigned, void* stream, void** params, void**) {
  if (grid == 0 || block == 0 || block > 1024) return kInvalidValue;
  if (captures == 0) {
    const Lock lock(machine().lock);
    ++hpmp_fake_launches;
  }
  const Kernel kernel = *static_cast<const Kernel*>(function);
  std::vector<std::max_align_t> args(kernel.args_bytes / sizeof(std::max_align_t) + 1);
  std::memcpy(args.data(), params[0], kernel.args_bytes);
  return submit(stream, [kernel, args, grid, block] { kernel.run(args.data(), grid, block); });
}

HPMP_FAKE cuStreamBeginCapture_v2(void* stream, int) {
  const Lock lock(machine().lock);
  machine().stream(stream)->captured = new std::vector<Work>;
  return ++captures, kSuccess;
}
HPMP_FAKE cuStreamEndCapture(void* stream, void** graph) {
  const Lock lock(machine().lock);
  *graph = machine().stream(stream)->captured;
  machine().stream(stream)->captured = nullptr;
  return --captures, kSuccess;
}
HPMP_FAKE cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return *executable = new std::vector<Work>(*static_cast<std::vector<Work>*>(graph)), kSuccess;
}
HPMP_FAKE cuGraphLaunch(void* executable, void* stream) {
  for (const Work& work : *static_cast<std::vector<Work>*>(executable)) submit(stream, work);
  return kSuccess;
}
HPMP_FAKE cuGraphDestroy(void* graph) {
  return delete static_cast<std::vector<Work>*>(graph), kSuccess;
}
HPMP_FAKE cuGraphExecDestroy(void* executable) {
  return delete static_cast<std::vector<Work>*>(executable), kSuccess;
}

HPMP_FAKE cuGetErrorName(Result error, const char** name) {
  *name = error == kOutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == kNotFound       ? "CUDA_ERROR_NOT_FOUND"
          : error == kInvalidContext ? "CUDA_ERROR_INVALID_CONTEXT"
          : error == kNotInCapture   ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
                                     : "CUDA_ERROR_INVALID_VALUE";
  return kSuccess;
}
HPMP_FAKE cuGetErrorString(Result, const char** text) { return *text = "fake", kSuccess; }
