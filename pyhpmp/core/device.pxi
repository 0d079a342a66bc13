# The devices of this machine: which there are, their memory, what they do at best.

from pyhpmp.records import DeviceFigures


DEVICES = ("cpu", "cuda")


cdef c.hpmp_device device_named(str name) except *:
    if name not in DEVICES:
        raise InvalidArgumentError(f"unknown device '{name}'; use one of {', '.join(DEVICES)}")
    return <c.hpmp_device><int>DEVICES.index(name)


def runs_dtype(str name not None, str device not None="cpu"):
    """Whether this machine computes on activations of the type."""
    return bool(c.hpmp_dtype_runs(dtype_named(name), device_named(device)))


def gpu_count():
    """The GPUs of this process, at least one. Raises DeviceError, which says why there is none."""
    cdef int32_t count = 0
    check(c.hpmp_gpu_count(&count))
    return count


cdef void* allocate_on_gpu(void* context, size_t bytes) noexcept with gil:
    """`allocate` of a Python object; null where that raises."""
    try:
        return <void*><uintptr_t>(<object>context).allocate(bytes)
    except Exception:
        return NULL


cdef void release_on_gpu(void* context, void* memory) noexcept with gil:
    (<object>context).release(<uintptr_t>memory)


def measure_device(int32_t repeats, int32_t threads=1, *, str device not None="cpu",
                   int32_t gpu=0):
    """What a device does at best; medians of `repeats`."""
    cdef c.hpmp_bench_options options
    cdef c.hpmp_device_figures figures
    options.samples, options.repeats, options.threads = 1, repeats, threads
    options.budget_seconds, options.dtype = 0, dtype_named("fp32")
    options.device, options.gpu, options.tf32 = device_named(device), gpu, False
    with nogil:
        check(c.hpmp_bench_device(&options, &figures))
    return DeviceFigures(figures.fma_flops_per_second, figures.pack_bytes_per_second,
                         figures.update_seconds_per_elem, figures.to_host_bytes_per_second,
                         figures.to_device_bytes_per_second)
