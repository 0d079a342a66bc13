# Engines: parameters in and out, steps, and what they counted and timed.

from cython cimport no_gc_clear
from libc.stdlib cimport free, malloc

from pyhpmp.records import StepResult


@no_gc_clear
cdef class Engine:
    """Runs one rank's program of a plan, step after step."""

    cdef c.hpmp_engine* handle
    cdef object communicator, status, gpu_memory
    cdef char[::1] status_view
    cdef int32_t ranks

    def __cinit__(self, Graph graph not None, Plan plan not None,
                  Communicator communicator not None, *, seed=0, int32_t threads=0,
                  bint trace=False, double comm_timeout_seconds=60.0, status=None,
                  str device not None="cpu", int32_t gpu=0, bint tf32=False, gpu_memory=None,
                  double label_smoothing=0.0):
        cdef c.hpmp_engine_options options
        cdef c.hpmp_gpu_memory memory
        c.hpmp_engine_options_default(&options)
        options.seed = seed
        options.threads = threads
        options.trace = trace
        options.comm_timeout_seconds = comm_timeout_seconds
        if status is not None:
            self.status_view = memoryview(status).cast("c")
            if self.status_view.shape[0] < 256:
                raise InvalidArgumentError("status: fewer than 256 bytes")
            options.status = &self.status_view[0]
        options.label_smoothing = label_smoothing
        options.device, options.gpu, options.tf32 = device_named(device), gpu, tf32
        if gpu_memory is not None:
            memory.context = <void*>gpu_memory
            memory.allocate, memory.release = allocate_on_gpu, release_on_gpu
            memory.stream = <void*><uintptr_t>gpu_memory.stream
            options.gpu_memory = &memory
        self.gpu_memory = gpu_memory
        self.communicator = communicator  # must outlive the engine
        self.ranks = plan.info.ranks
        with nogil:
            check(c.hpmp_engine_create(graph.handle, plan.handle, communicator.handle, &options,
                                       &self.handle))

    def __dealloc__(self):
        with nogil:
            c.hpmp_engine_free(self.handle)

    def set_param(self, int64_t index, const float[::1] data):
        cdef const float* raw = &data[0] if data.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_set_param(self.handle, index, raw, data.shape[0]))

    def get_param(self, int64_t index, float[::1] out):
        """Writes what this rank owns, zero elsewhere."""
        cdef float* raw = &out[0] if out.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_get_param(self.handle, index, raw, out.shape[0]))

    def get_grad(self, int64_t index, float[::1] out):
        cdef float* raw = &out[0] if out.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_get_grad(self.handle, index, raw, out.shape[0]))

    def set_state(self, int64_t index, int32_t state, const float[::1] data):
        """Of the arrays that `optimizer_states` names for the plan's optimizer, number `state`."""
        cdef const float* raw = &data[0] if data.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_set_state(self.handle, index, state, raw, data.shape[0]))

    def get_state(self, int64_t index, int32_t state, float[::1] out):
        cdef float* raw = &out[0] if out.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_get_state(self.handle, index, state, raw, out.shape[0]))

    def set_step(self, int64_t step):
        """Goes on after `step` steps."""
        check(c.hpmp_engine_set_step(self.handle, step))

    def set_own_labels(self, bint own):
        """Whether labels are given for this rank's samples alone (`Plan.reads`), on every rank."""
        check(c.hpmp_engine_set_own_labels(self.handle, own))

    def set_trace(self, bint trace):
        """Whether the times of the next steps' instructions are kept."""
        check(c.hpmp_engine_set_trace(self.handle, trace))

    def train_step(self, images, labels, *, double lr, str optimizer not None="sgd",
                   double weight_decay=0.0, double momentum=0.0, betas=(0.9, 0.999),
                   double eps=1e-8):
        """One step on the global batch, by the plan's optimizer. Collective."""
        cdef _Tensor x = _Tensor(images, "images")
        cdef _Tensor y = _Tensor(labels, "labels")
        cdef c.hpmp_optimizer settings
        cdef c.hpmp_step_result result
        settings.kind = optimizer_named(optimizer)
        settings.lr, settings.weight_decay, settings.momentum = lr, weight_decay, momentum
        settings.beta1, settings.beta2 = betas
        settings.eps = eps
        with nogil:
            check(c.hpmp_engine_train_step(self.handle, x.tensor, y.tensor, &settings, &result))
        return StepResult(result.loss, result.correct, result.counted, self.confusion(),
                          result.host_seconds)

    cdef object confusion(self):
        """(3, classes) pixels that are right, predicted, labelled; None without maps."""
        cdef int64_t count = 0
        check(c.hpmp_engine_confusion(self.handle, NULL, &count))
        if count == 0:
            return None
        counts = np.zeros(count, np.int64)
        cdef int64_t[::1] view = counts
        check(c.hpmp_engine_confusion(self.handle, &view[0], &count))
        return counts.reshape(3, -1)

    def forward(self, images, labels=None, outputs=()):
        """The forward part. Collective. `outputs`: float32 arrays."""
        cdef _Tensor x = _Tensor(images, "images")
        cdef _Tensor y = None if labels is None else _Tensor(labels, "labels")
        cdef const c.DLTensor* labels_raw = NULL if y is None else y.tensor
        cdef c.hpmp_step_result result
        cdef int64_t count = len(outputs), i
        cdef float[::1] view
        cdef float** raw = <float**>malloc(max(count, 1) * sizeof(float*))
        if raw == NULL:
            raise MemoryError
        try:
            for i in range(count):
                view = outputs[i].reshape(-1)
                raw[i] = &view[0]
            with nogil:
                check(c.hpmp_engine_forward(self.handle, x.tensor, labels_raw, raw, count, &result))
        finally:
            free(raw)
        return StepResult(result.loss, result.correct, result.counted, self.confusion(),
                          result.host_seconds)

    def sent_by_net(self):
        """Elements sent since creation or the last reset, by net of the plan's hypergraph."""
        cdef int64_t count = 0
        check(c.hpmp_engine_net_count(self.handle, &count))
        sent = np.zeros(max(count, 1), np.int64)
        cdef int64_t[::1] view = sent
        check(c.hpmp_engine_sent_by_net(self.handle, &view[0], count))
        return sent[:count]

    def sent_by_peer(self):
        """The same by destination rank."""
        sent = np.zeros(self.ranks, np.int64)
        cdef int64_t[::1] view = sent
        check(c.hpmp_engine_sent_by_peer(self.handle, &view[0], self.ranks))
        return sent

    def sent_bytes(self):
        """Bytes of the same messages, to all ranks: [3], by PASSAGES."""
        sent = np.zeros(c.HPMP_PASSAGES, np.int64)
        cdef int64_t[::1] view = sent
        check(c.hpmp_engine_sent_bytes(self.handle, &view[0]))
        return sent

    def reset_counters(self):
        check(c.hpmp_engine_reset_counters(self.handle))

    @property
    def memory_bytes(self):
        cdef int64_t memory = 0
        check(c.hpmp_engine_memory(self.handle, &memory))
        return memory

    def trace(self):
        """Instruction, start and end (seconds) of every event of the last step."""
        cdef int64_t count = 0
        check(c.hpmp_engine_trace(self.handle, NULL, NULL, NULL, &count))
        size = max(count, 1)
        instr, start, end = np.zeros(size, np.int32), np.zeros(size), np.zeros(size)
        cdef int32_t[::1] instrs = instr
        cdef double[::1] starts = start
        cdef double[::1] ends = end
        check(c.hpmp_engine_trace(self.handle, &instrs[0], &starts[0], &ends[0], &count))
        return instr[:count], start[:count], end[:count]
