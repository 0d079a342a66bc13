// The functions of the CUDA driver that the engine calls, found at run time: nothing is linked and
// no header of CUDA is needed. Types are the driver's, by size.
#pragma once

#include <cstddef>

namespace hpmp::cuda {

using Result = int;  // 0: success
using DeviceAddress = unsigned long long;
/// Names memory of one process in others of its host (CUipcMemHandle).
struct MemoryHandle {
  unsigned char bytes[64];
};

// name in the table, exported symbol, parameters
#define HPMP_DRIVER_FUNCTIONS(F)                                                                   \
  F(init, "cuInit", unsigned flags)                                                                \
  F(device_count, "cuDeviceGetCount", int* count)                                                  \
  F(device_get, "cuDeviceGet", int* device, int ordinal)                                           \
  F(device_name, "cuDeviceGetName", char* name, int size, int device)                              \
  F(device_attribute, "cuDeviceGetAttribute", int* value, int attribute, int device)               \
  F(context_retain, "cuDevicePrimaryCtxRetain", void** context, int device)                        \
  F(context_release, "cuDevicePrimaryCtxRelease_v2", int device)                                   \
  F(context_use, "cuCtxSetCurrent", void* context)                                                 \
  F(allocate, "cuMemAlloc_v2", DeviceAddress* address, std::size_t bytes)                          \
  F(free, "cuMemFree_v2", DeviceAddress address)                                                   \
  F(allocate_host, "cuMemHostAlloc", void** data, std::size_t bytes, unsigned flags)               \
  F(free_host, "cuMemFreeHost", void* data)                                                        \
  F(copy_to_device, "cuMemcpyHtoDAsync_v2", DeviceAddress to, const void* from, std::size_t bytes, \
    void* stream)                                                                                  \
  F(copy_to_host, "cuMemcpyDtoHAsync_v2", void* to, DeviceAddress from, std::size_t bytes,         \
    void* stream)                                                                                  \
  F(copy_on_device, "cuMemcpyDtoDAsync_v2", DeviceAddress to, DeviceAddress from,                  \
    std::size_t bytes, void* stream)                                                               \
  F(copy_between, "cuMemcpyAsync", DeviceAddress to, DeviceAddress from, std::size_t bytes,        \
    void* stream)                                                                                  \
  F(handle_of, "cuIpcGetMemHandle", MemoryHandle* handle, DeviceAddress memory)                    \
  F(open_handle, "cuIpcOpenMemHandle_v2", DeviceAddress* memory, MemoryHandle handle,              \
    unsigned flags)                                                                                \
  F(close_handle, "cuIpcCloseMemHandle", DeviceAddress memory)                                     \
  F(fill_bytes, "cuMemsetD8Async", DeviceAddress to, unsigned char value, std::size_t bytes,       \
    void* stream)                                                                                  \
  F(stream_create, "cuStreamCreate", void** stream, unsigned flags)                                \
  F(stream_destroy, "cuStreamDestroy_v2", void* stream)                                            \
  F(stream_synchronize, "cuStreamSynchronize", void* stream)                                       \
  F(stream_wait, "cuStreamWaitEvent", void* stream, void* event, unsigned flags)                   \
  F(event_create, "cuEventCreate", void** event, unsigned flags)                                   \
  F(event_destroy, "cuEventDestroy_v2", void* event)                                               \
  F(event_record, "cuEventRecord", void* event, void* stream)                                      \
  F(event_query, "cuEventQuery", void* event)                                                      \
  F(event_synchronize, "cuEventSynchronize", void* event)                                          \
  F(event_elapsed, "cuEventElapsedTime", float* milliseconds, void* from, void* to)                \
  F(module_load, "cuModuleLoadData", void** module, const void* image)                             \
  F(module_unload, "cuModuleUnload", void* module)                                                 \
  F(module_function, "cuModuleGetFunction", void** function, void* module, const char* name)       \
  F(launch, "cuLaunchKernel", void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,   \
    unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream,     \
    void** params, void** extra)                                                                   \
  F(capture_begin, "cuStreamBeginCapture_v2", void* stream, int mode)                              \
  F(capture_end, "cuStreamEndCapture", void* stream, void** graph)                                 \
  F(graph_instantiate, "cuGraphInstantiateWithFlags", void** executable, void* graph,              \
    unsigned long long flags)                                                                      \
  F(graph_launch, "cuGraphLaunch", void* executable, void* stream)                                 \
  F(graph_destroy, "cuGraphDestroy", void* graph)                                                  \
  F(executable_destroy, "cuGraphExecDestroy", void* executable)                                    \
  F(error_name, "cuGetErrorName", Result error, const char** name)                                 \
  F(error_text, "cuGetErrorString", Result error, const char** text)

struct Driver {
#define HPMP_DECLARE(name, symbol, ...) Result (*name)(__VA_ARGS__) = nullptr;
  HPMP_DRIVER_FUNCTIONS(HPMP_DECLARE)
#undef HPMP_DECLARE
};

constexpr Result kNotReady = 600, kOutOfMemory = 2;

/// The driver of `path`, initialised; stays loaded. Errors: `device_error` naming the library or
/// the missing function, and the cure.
Driver load_driver(const char* path);

/// The one of this process: HPMP_CUDA_DRIVER, else libcuda.so.1.
const Driver& driver();

/// Throws `device_error` (or `out_of_memory`): "cannot <what>: CUDA_ERROR_...: ...".
void check(const Driver& driver, Result result, const char* what);

}  // namespace hpmp::cuda
