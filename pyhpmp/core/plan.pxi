# Plans: made or read, and what every rank does in them.

from pyhpmp.records import Messages, Program, RankInfo, Reads, Tasks


def _instructions():
    cdef int32_t kind = 0
    names = []
    while c.hpmp_instruction_name(kind) != NULL:
        names.append(c.hpmp_instruction_name(kind).decode())
        kind += 1
    return tuple(names)


INSTRUCTIONS = _instructions()
MESSAGES = (
    "activation", "gradient", "parameter gradient", "parameter", "part of statistics", "statistics",
    "part of gradient statistics", "gradient statistics",
)


cdef class Plan:
    """Per rank one list of instructions, with a prediction of time, volume and memory."""

    cdef c.hpmp_plan* handle
    cdef c.hpmp_plan_info info

    def __dealloc__(self):
        c.hpmp_plan_free(self.handle)

    @staticmethod
    def build(Hypergraph hypergraph not None, part, int32_t ranks, str strategy not None,
              dict machine):
        """`machine`: fields of hpmp_speeds, `rates` and `rank_speed` where they differ
        from the defaults, the `dtype` they were measured with, and those of `MEMORY`."""
        cdef Plan plan = Plan.__new__(Plan)
        cdef int32_t[::1] parts = hypergraph._checked(part)
        cdef bytes name = strategy.encode()
        cdef const char* raw = name
        cdef _Machine m = _Machine(machine)
        with nogil:
            check(c.hpmp_plan_build(hypergraph.handle, &parts[0], ranks, &m.machine, raw,
                                    &plan.handle))
        check(c.hpmp_plan_get(plan.handle, &plan.info))
        return plan

    @staticmethod
    def parse(str text not None):
        cdef Plan plan = Plan.__new__(Plan)
        cdef bytes raw = text.encode()
        cdef const char* data = raw
        cdef size_t length = len(raw)
        with nogil:
            check(c.hpmp_plan_parse(data, length, &plan.handle))
        check(c.hpmp_plan_get(plan.handle, &plan.info))
        return plan

    def text(self):
        cdef char* text = NULL
        with nogil:
            check(c.hpmp_plan_text(self.handle, &text))
        return taken(text)

    def verify(self, Graph graph not None):
        """Dry-runs all ranks. Errors: InvalidPlanError naming rank and instruction."""
        with nogil:
            check(c.hpmp_plan_verify(graph.handle, self.handle))

    def for_optimizer(self, Graph graph not None, str kind not None):
        """The plan with memory counted for another optimizer. Errors: as of `verify`."""
        cdef Plan plan = Plan.__new__(Plan)
        check(c.hpmp_plan_for_optimizer(graph.handle, self.handle, optimizer_named(kind),
                                        &plan.handle))
        check(c.hpmp_plan_get(plan.handle, &plan.info))
        return plan

    @property
    def strategy(self):
        return self.info.strategy.decode()

    @property
    def graph_hash(self):
        return self.info.graph_hash.decode()

    @property
    def ranks(self):
        return self.info.ranks

    @property
    def batch(self):
        return self.info.grid.batch

    @property
    def shards(self):
        return self.info.grid.shards

    @property
    def bn_group(self):
        return self.info.grid.bn_group

    @property
    def bn_sync(self):
        return bool(self.info.grid.bn_sync)

    @property
    def channel_block(self):
        return self.info.grid.channel_block

    @property
    def dense_block(self):
        return self.info.grid.dense_block

    @property
    def most_blocks(self):
        return self.info.grid.most_blocks

    @property
    def training(self):
        return bool(self.info.grid.training)

    @property
    def messages(self):
        return self.info.messages

    @property
    def dtype(self):
        return DTYPES[self.info.grid.dtype]

    @property
    def optimizer(self):
        return OPTIMIZERS[self.info.grid.optimizer]

    @property
    def activation_bytes(self):
        return self.info.activation_bytes

    @property
    def parameter_bytes(self):
        return self.info.parameter_bytes

    @property
    def activation_elems(self):
        return self.info.activation_elems

    @property
    def parameter_elems(self):
        return self.info.parameter_elems

    @property
    def imbalance(self):
        return self.info.imbalance

    @property
    def step_seconds(self):
        return self.info.step_seconds

    @property
    def bubble_fraction(self):
        return self.info.bubble_fraction

    def rank(self, int32_t rank):
        cdef c.hpmp_rank_info info
        check(c.hpmp_plan_rank(self.handle, rank, &info))
        return RankInfo(info.instructions, info.arena_bytes, info.param_bytes, info.sent_elems,
                        info.sent_bytes)

    def labels(self, Graph graph not None, int32_t rank):
        """The name of every instruction of a rank, as in traces."""
        cdef char* text = NULL
        with nogil:
            check(c.hpmp_plan_labels(graph.handle, self.handle, rank, &text))
        return taken(text).splitlines()

    def times(self, int32_t rank):
        """Predicted start and end of every instruction of a rank, in seconds."""
        count = self.rank(rank).instructions
        start, end = np.zeros(max(count, 1)), np.zeros(max(count, 1))
        cdef double[::1] starts = start
        cdef double[::1] ends = end
        check(c.hpmp_plan_times(self.handle, rank, &starts[0], &ends[0]))
        return start[:count], end[:count]

    def program(self, int32_t rank):
        """A rank's instructions as arrays."""
        count = self.rank(rank).instructions
        columns = np.zeros((4, max(count, 1)), np.int32)
        live = np.zeros(max(count, 1), np.int64)
        cdef int32_t[:, ::1] view = columns
        cdef int64_t[::1] bytes_view = live
        check(c.hpmp_plan_program(self.handle, rank, &view[0, 0], &view[1, 0], &view[2, 0],
                                  &view[3, 0], &bytes_view[0]))
        return Program(*columns[:, :count], live[:count])

    def message_table(self):
        """All messages as arrays."""
        columns = np.zeros((3, max(self.messages, 1)), np.int32)
        sizes = np.zeros((2, max(self.messages, 1)), np.int64)
        cdef int32_t[:, ::1] view = columns
        cdef int64_t[:, ::1] size_view = sizes
        check(c.hpmp_plan_messages(self.handle, &view[0, 0], &view[1, 0], &view[2, 0],
                                   &size_view[0, 0], &size_view[1, 0]))
        return Messages(*columns[:, :self.messages], *sizes[:, :self.messages])

    def tasks(self, int32_t rank):
        """What a rank computes, as arrays."""
        cdef int64_t count = 0
        check(c.hpmp_plan_tasks(self.handle, rank, NULL, NULL, NULL, &count))
        columns, channels = np.zeros((2, max(count, 1)), np.int32), np.zeros(max(count, 1), np.int64)
        cdef int32_t[:, ::1] view = columns
        cdef int64_t[::1] channel_view = channels
        check(c.hpmp_plan_tasks(self.handle, rank, &view[0, 0], &view[1, 0], &channel_view[0],
                                &count))
        return Tasks(*columns[:, :count], channels[:count])

    def reads(self, Graph graph not None, int32_t rank):
        """Samples of a batch whose images, and whose labels, a rank reads: bool, [batch] each."""
        shards = np.zeros((2, self.shards), np.int32)
        cdef int32_t[:, ::1] view = shards
        check(c.hpmp_plan_reads(graph.handle, self.handle, rank, &view[0, 0], &view[1, 0]))
        images, labels = np.repeat(shards.astype(bool), self.batch // self.shards, axis=1)
        return Reads(images, labels)
