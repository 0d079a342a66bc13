# Transports: ranks that are threads, and one rank's end of any.


cdef class World:
    """Joins ranks that are threads of this process."""

    cdef c.hpmp_world* handle
    cdef readonly int size

    def __cinit__(self, int32_t size):
        check(c.hpmp_world_create(size, &self.handle))
        self.size = size

    def __dealloc__(self):
        c.hpmp_world_free(self.handle)

    def communicator(self, int32_t rank):
        cdef Communicator communicator = Communicator.__new__(Communicator)
        check(c.hpmp_world_communicator(self.handle, rank, &communicator.handle))
        communicator.owner = self
        return communicator

    def poison(self, int32_t rank, str message not None):
        """Makes every wait of the other ranks fail with `message`."""
        cdef bytes raw = message.encode()
        cdef const char* text = raw
        with nogil:
            check(c.hpmp_world_poison(self.handle, rank, text))


cdef class Communicator:
    """One rank's end of a transport."""

    cdef c.hpmp_communicator* handle
    cdef object owner

    def __dealloc__(self):
        c.hpmp_communicator_free(self.handle)

    @staticmethod
    def from_table(address, owner=None):
        """From the address of an hpmp_comm_table; `owner` is kept alive with the communicator."""
        cdef Communicator communicator = Communicator.__new__(Communicator)
        cdef const c.hpmp_comm_table* table = <const c.hpmp_comm_table*><uintptr_t>address
        check(c.hpmp_communicator_create(table, &communicator.handle))
        communicator.owner = owner
        return communicator

    @property
    def rank(self):
        cdef int32_t rank = 0, size = 0
        check(c.hpmp_communicator_get(self.handle, &rank, &size))
        return rank

    @property
    def size(self):
        cdef int32_t rank = 0, size = 0
        check(c.hpmp_communicator_get(self.handle, &rank, &size))
        return size

    def ping_pong(self, int32_t peer, int64_t size, int32_t repeats):
        """Seconds one way to `peer`, who calls with this rank; `size` in bytes."""
        times = np.zeros(max(repeats, 1))
        cdef double[::1] view = times
        with nogil:
            check(c.hpmp_bench_ping_pong(self.handle, peer, size, repeats, &view[0]))
        return times

    def link(self, int32_t peer, int64_t size, int32_t repeats, *, str device not None="cpu",
             int32_t gpu=0, bint tf32=False):
        """The same between the memories of the ranks' devices, as messages of a step go."""
        cdef c.hpmp_bench_options options
        options.samples, options.repeats, options.threads = 1, repeats, 0
        options.budget_seconds, options.dtype = 0, dtype_named("fp32")
        options.device, options.gpu, options.tf32 = device_named(device), gpu, tf32
        times = np.zeros(max(repeats, 1))
        cdef double[::1] view = times
        with nogil:
            check(c.hpmp_bench_link(self.handle, peer, size, repeats, &options, &view[0]))
        return times

    def all_reduce(self, int32_t group, int64_t size, int32_t repeats):
        """Seconds of a sum over ranks [0, group), who all call; `size` in bytes."""
        times = np.zeros(max(repeats, 1))
        cdef double[::1] view = times
        with nogil:
            check(c.hpmp_bench_all_reduce(self.handle, group, size, repeats, &view[0]))
        return times
