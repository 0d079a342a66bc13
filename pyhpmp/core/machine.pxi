# What a planner is told of a machine: a dict of Python's as an hpmp_machine.

from libc.stdlib cimport free, malloc


def default_speeds():
    """What serves where nothing was measured: the fields of hpmp_speeds."""
    cdef c.hpmp_machine machine
    c.hpmp_machine_default(&machine)
    return dict(machine.speeds)


MEMORY = ("memory_limit_bytes", "memory_goal_bytes")
RECOMPUTE = ("auto", "never", "always")  # as hpmp_recompute counts


cdef c.hpmp_recompute recompute_named(str name) except *:
    if name not in RECOMPUTE:
        raise InvalidArgumentError(
            f"unknown recompute '{name}'; use one of {', '.join(RECOMPUTE)}")
    return <c.hpmp_recompute><int>RECOMPUTE.index(name)


cdef class _Machine:
    """An hpmp_machine with the arrays that it points to."""

    cdef c.hpmp_machine machine
    cdef c.hpmp_rate* rates
    cdef list names
    cdef double[::1] rank_speed

    def __cinit__(self, dict options not None):
        known = default_speeds()
        unknown = set(options) - {*known, *MEMORY, "rank_speed", "rates", "dtype", "recompute"}
        if unknown:
            raise InvalidArgumentError(
                f"a machine has no {', '.join(sorted(unknown))}; it has {', '.join(known)}, "
                f"{', '.join(MEMORY)}, rank_speed, rates, dtype, recompute")
        self.machine.speeds = {name: options.get(name, value) for name, value in known.items()}
        self.machine.memory_limit_bytes, self.machine.memory_goal_bytes = (
            options.get(name, 0) for name in MEMORY)
        self.machine.dtype = dtype_named(options.get("dtype", "fp32"))
        self.machine.recompute = recompute_named(options.get("recompute", "auto"))
        if options.get("rank_speed"):
            self.rank_speed = np.array(options["rank_speed"], np.float64)
            self.machine.rank_speed = &self.rank_speed[0]
            self.machine.rank_count = <int32_t>self.rank_speed.shape[0]
        self._take_rates(options.get("rates", ()))

    cdef _take_rates(self, rates):
        self.names = [rate.shape.op.encode() for rate in rates]
        self.rates = <c.hpmp_rate*>malloc(max(len(rates), 1) * sizeof(c.hpmp_rate))
        if self.rates == NULL:
            raise MemoryError
        for i, (shape, per_second) in enumerate(rates):
            self.rates[i].shape = shape._replace(op=self.names[i])._asdict()
            self.rates[i].per_second = per_second._asdict()
        self.machine.rates = self.rates
        self.machine.rate_count = len(rates)

    def __dealloc__(self):
        free(self.rates)
