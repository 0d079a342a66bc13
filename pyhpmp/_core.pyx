# cython: language_level=3, boundscheck=False, wraparound=False, binding=True, embedsignature=True
"""A thin client of the C interface (native/include/hpmp.h), and of nothing else."""

from cython cimport no_gc_clear
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport free, malloc

cimport pyhpmp._hpmp as c

from typing import NamedTuple

import numpy as np

from pyhpmp.errors import BY_STATUS, HpmpError, InvalidArgumentError

if c.hpmp_api_version() != c.HPMP_API_VERSION:
    raise ImportError(
        f"libhpmp.so speaks version {c.hpmp_api_version()} of its interface, this module was built "
        f"for {c.HPMP_API_VERSION}; install hpmp again"
    )


class ParamInfo(NamedTuple):
    name: str
    role: str
    dims: tuple
    trainable: bool
    elems: int


class ValueInfo(NamedTuple):
    name: str
    shape: tuple


class OpShape(NamedTuple):
    """What the speed of an op depends on, for one sample of its output."""

    op: str
    kernel: int
    stride: int
    groups: int
    c_in: int
    c_out: int
    pixels: int


class Passes(NamedTuple):
    """A figure for each pass of an op; `weights` is 0 where there is no third pass."""

    forward: float
    backward: float
    weights: float


class PassTimes(NamedTuple):
    """Seconds of every repeat; `weights` is empty where there is no third pass.

    load: of taking new parameters over, once a step.
    """

    forward: object
    backward: object
    weights: object
    load: object


class Rate(NamedTuple):
    """Work per second of an op on a shape."""

    shape: OpShape
    per_second: Passes


class NodeInfo(NamedTuple):
    """`work`: of one sample; floating-point operations where `is_mixing`, else bytes."""

    name: str
    shape: OpShape
    weight_elems: int
    is_index_map: bool
    is_mixing: bool
    work: Passes


class DeviceFigures(NamedTuple):
    """Multiply-adds are of one core, 0 for a GPU; the last two are of a GPU, 0 for a CPU."""

    fma_flops_per_second: float
    pack_bytes_per_second: float
    update_seconds_per_elem: float
    to_host_bytes_per_second: float
    to_device_bytes_per_second: float


class StepResult(NamedTuple):
    """Of a global batch; loss: weighted sum over heads of the mean over the labels that count.

    correct: labels that are the first head's top class. counted: labels that are not -1.
    confusion: where that head is of maps, (3, classes) pixels right, predicted, labelled.
    """

    loss: float
    correct: int
    counted: int
    confusion: object


class GroupInfo(NamedTuple):
    name: str
    op: str
    shape: tuple
    blocks: int


class Metrics(NamedTuple):
    activation_elems: int
    parameter_elems: int
    imbalance: float
    part_weight: object
    pair_elems: object
    net_volume: object


class Prediction(NamedTuple):
    """What a plan promises: what all ranks send in a step, times, bytes by rank.

    compute_seconds, network_seconds: what its busiest rank and its busiest link alone would take.
    """

    messages: int
    activation_elems: int
    parameter_elems: int
    imbalance: float
    step_seconds: float
    bubble_fraction: float
    compute_seconds: float
    network_seconds: float
    activation_bytes: int
    parameter_bytes: int
    memory_bytes: list


class RankInfo(NamedTuple):
    instructions: int
    arena_bytes: int
    param_bytes: int
    sent_elems: int
    sent_bytes: int


cdef int check(c.hpmp_status status) except -1 nogil:
    if status == 0:
        return 0
    with gil:
        message = c.hpmp_last_error().decode("utf-8", "replace")
        raise BY_STATUS.get(status, HpmpError)(message)


DTYPES = ("fp32", "bf16")  # in the order of hpmp_dtype


cdef c.hpmp_dtype dtype_named(str name) except *:
    if name not in DTYPES:
        raise InvalidArgumentError(f"unknown dtype '{name}'; use one of {', '.join(DTYPES)}")
    return <c.hpmp_dtype><int>DTYPES.index(name)


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


cdef str taken(char* text):
    """The string of a `char*` result, which is freed."""
    try:
        return text.decode("utf-8")
    finally:
        c.hpmp_free(text)


cdef object ints64(const int64_t* data, Py_ssize_t count):
    cdef Py_ssize_t i
    array = np.empty(count, np.int64)
    cdef int64_t[::1] view = array
    for i in range(count):
        view[i] = data[i]
    return array


cdef object ints32(const int32_t* data, Py_ssize_t count):
    cdef Py_ssize_t i
    array = np.empty(count, np.int32)
    cdef int32_t[::1] view = array
    for i in range(count):
        view[i] = data[i]
    return array


cdef class _Tensor:
    """Keeps a DLPack capsule for the time of a call; its own destructor releases it."""

    cdef object capsule
    cdef c.DLTensor* tensor

    def __cinit__(self, array, what):
        self.capsule = exported(array, what)
        cdef c.DLManagedTensorVersioned* versioned
        if PyCapsule_IsValid(self.capsule, "dltensor_versioned"):
            versioned = <c.DLManagedTensorVersioned*>PyCapsule_GetPointer(
                self.capsule, "dltensor_versioned")
            if versioned.version.major != 1:
                raise InvalidArgumentError(
                    f"{what}: DLPack version {versioned.version.major}; versions 0.8 and 1 are read")
            self.tensor = &versioned.dl_tensor
        elif PyCapsule_IsValid(self.capsule, "dltensor"):
            self.tensor = &(<c.DLManagedTensor*>PyCapsule_GetPointer(
                self.capsule, "dltensor")).dl_tensor
        else:
            raise InvalidArgumentError(f"{what}: its __dlpack__ gives no DLPack capsule")


def exported(array, what):
    """The DLPack capsule of an array. Errors: InvalidArgumentError naming `what`."""
    if not hasattr(array, "__dlpack__"):
        kind = type(array).__name__
        raise InvalidArgumentError(f"{what}: a {kind} is no DLPack array; pass a NumPy array")
    try:
        try:
            return array.__dlpack__(max_version=(1, 0))
        except TypeError:  # a producer from before DLPack 1.0
            return array.__dlpack__()
    except (BufferError, RuntimeError, TypeError) as error:
        raise InvalidArgumentError(f"{what}: cannot be shared: {error}") from error


cdef class Graph:
    """A network: values, nodes and parameters without their data."""

    cdef c.hpmp_graph* handle

    def __dealloc__(self):
        c.hpmp_graph_free(self.handle)

    @staticmethod
    def parse(str text not None):
        cdef Graph graph = Graph.__new__(Graph)
        cdef bytes raw = text.encode()
        cdef const char* data = raw
        cdef size_t length = len(raw)
        with nogil:
            check(c.hpmp_graph_parse(data, length, &graph.handle))
        return graph

    def prepare(self, *, bint training=True, loss_weights=(1.0,)):
        """The graph that is planned and run: cleaned, with losses or with gathered outputs.

        loss_weights: by output; 0, as for those that are missing, is no loss.
        """
        cdef Graph graph = Graph.__new__(Graph)
        weights = np.array(loss_weights, np.float64)
        cdef double[::1] view = weights
        cdef int64_t count = len(weights)
        cdef const double* raw = &view[0] if count else NULL
        with nogil:
            check(c.hpmp_graph_prepare(self.handle, training, raw, count, &graph.handle))
        return graph

    def text(self):
        cdef char* text = NULL
        with nogil:
            check(c.hpmp_graph_text(self.handle, &text))
        return taken(text)

    @property
    def hash(self):
        cdef const char* text = NULL
        check(c.hpmp_graph_hash(self.handle, &text))
        return text.decode()

    @property
    def params(self):
        cdef int64_t count = 0, i
        cdef c.hpmp_param_info info
        check(c.hpmp_graph_param_count(self.handle, &count))
        infos = []
        for i in range(count):
            check(c.hpmp_graph_param(self.handle, i, &info))
            dims = tuple(info.dims[d] for d in range(info.ndim))
            infos.append(ParamInfo(info.name.decode(), info.role.decode(), dims,
                                   bool(info.trainable), info.elems))
        return infos

    @property
    def input(self):
        cdef c.hpmp_value_info info
        check(c.hpmp_graph_input(self.handle, &info))
        return ValueInfo(info.name.decode(), (info.c, info.h, info.w))

    @property
    def outputs(self):
        cdef int64_t count = 0, i
        cdef c.hpmp_value_info info
        check(c.hpmp_graph_output_count(self.handle, &count))
        infos = []
        for i in range(count):
            check(c.hpmp_graph_output(self.handle, i, &info))
            infos.append(ValueInfo(info.name.decode(), (info.c, info.h, info.w)))
        return infos

    @property
    def nodes(self):
        cdef int64_t count = 0, i
        cdef c.hpmp_node_info info
        check(c.hpmp_graph_node_count(self.handle, &count))
        infos = []
        for i in range(count):
            check(c.hpmp_graph_node(self.handle, i, &info))
            shape = OpShape(info.shape.op.decode(), info.shape.kernel, info.shape.stride,
                            info.shape.groups, info.shape.c_in, info.shape.c_out,
                            info.shape.pixels)
            work = Passes(info.work.forward, info.work.backward, info.work.weights)
            infos.append(NodeInfo(info.name.decode(), shape, info.weight_elems,
                                  bool(info.is_index_map), bool(info.is_mixing), work))
        return infos

    def time_node(self, int64_t index, *, int64_t samples, int32_t repeats=20,
                  double budget_seconds=1.0, int32_t threads=0, str dtype not None="fp32",
                  str device not None="cpu", int32_t gpu=0, bint tf32=False):
        """Runs one op alone; seconds of every repeat: an array for each pass."""
        cdef c.hpmp_bench_options options
        options.samples, options.repeats = samples, repeats
        options.budget_seconds, options.threads = budget_seconds, threads
        options.dtype = dtype_named(dtype)
        options.device, options.gpu, options.tf32 = device_named(device), gpu, tf32
        cdef int64_t count = 0
        times = np.zeros((4, max(repeats, 1)))
        cdef double[:, ::1] view = times
        with nogil:
            check(c.hpmp_bench_node(self.handle, index, &options, &view[0, 0], &view[1, 0],
                                    &view[2, 0], &view[3, 0], &count))
        third = count if times[2].any() else 0
        return PassTimes(times[0, :count], times[1, :count], times[2, :third], times[3, :count])


cdef class Hypergraph:
    """The cells of a prepared graph's grid and the nets between them, as arrays (copies)."""

    cdef c.hpmp_hypergraph* handle
    cdef readonly int64_t cells, nets
    cdef readonly object cell_weight, cell_group, cell_shard, cell_block
    cdef readonly object net_cost, net_is_param, pin_begin, pin_cell

    def __dealloc__(self):
        c.hpmp_hypergraph_free(self.handle)

    def __cinit__(self, Graph graph not None, *, int64_t batch, int64_t shards=1,
                  channel_block=None, dense_block=None, int64_t most_blocks=0,
                  int64_t bn_group=0, bint bn_sync=False, bint training=True,
                  str dtype not None="fp32"):
        cdef c.hpmp_grid grid
        c.hpmp_grid_default(&grid)
        grid.batch = batch
        grid.shards = shards
        grid.most_blocks = most_blocks
        grid.bn_group = bn_group
        grid.bn_sync = bn_sync
        grid.training = training
        grid.dtype = dtype_named(dtype)
        if channel_block is not None:
            grid.channel_block = channel_block
        if dense_block is not None:
            grid.dense_block = dense_block
        with nogil:
            check(c.hpmp_hypergraph_build(graph.handle, &grid, &self.handle))
        self._take_arrays()

    cdef _take_arrays(self):
        cdef c.hpmp_hypergraph_view view
        check(c.hpmp_hypergraph_get(self.handle, &view))
        self.cells, self.nets = view.cells, view.nets
        self.cell_weight = ints64(view.cell_weight, view.cells)
        self.cell_group = ints32(view.cell_group, view.cells)
        self.cell_shard = ints32(view.cell_shard, view.cells)
        self.cell_block = ints32(view.cell_block, view.cells)
        self.net_cost = ints64(view.net_cost, view.nets)
        self.net_is_param = ints32(view.net_is_param, view.nets).astype(bool)
        self.pin_begin = ints64(view.pin_begin, view.nets + 1)
        self.pin_cell = ints32(view.pin_cell, view.pins)

    @property
    def groups(self):
        cdef c.hpmp_hypergraph_view view
        cdef c.hpmp_group_info info
        cdef int64_t i
        check(c.hpmp_hypergraph_get(self.handle, &view))
        infos = []
        for i in range(view.groups):
            check(c.hpmp_hypergraph_group(self.handle, i, &info))
            infos.append(GroupInfo(info.name.decode(), info.op.decode(),
                                   (info.c, info.h, info.w), info.blocks))
        return infos

    def hmetis(self):
        cdef char* text = NULL
        with nogil:
            check(c.hpmp_hypergraph_hmetis(self.handle, &text))
        return taken(text)

    def baseline(self, str strategy not None, int32_t ranks):
        """A classical strategy as a part per cell (int32)."""
        cdef bytes name = strategy.encode()
        cdef const char* raw = name
        part = np.zeros(max(self.cells, 1), np.int32)
        cdef int32_t[::1] view = part
        with nogil:
            check(c.hpmp_baseline(self.handle, raw, ranks, &view[0]))
        return part[:self.cells]

    def search(self, int32_t ranks, *, epsilon=None, seed=None, work=None, seconds=None, keep=None,
               share=None, starts=()):
        """Placements (int32, part per cell) of least volume within the balance, best first."""
        cdef c.hpmp_search_options options
        c.hpmp_search_options_default(&options)
        options.epsilon = options.epsilon if epsilon is None else epsilon
        options.seed = options.seed if seed is None else seed
        options.work = options.work if work is None else work
        options.seconds = options.seconds if seconds is None else seconds
        options.keep = options.keep if keep is None else keep
        cdef double[::1] shares = None
        if share is not None:
            shares = np.array(share, np.float64)
            if shares.shape[0] != ranks or ranks < 1:
                raise InvalidArgumentError(f"{shares.shape[0]} shares for {ranks} ranks")
            options.share = &shares[0]
        begin = np.array([self._checked(start) for start in starts], np.int32).reshape(-1)
        cdef int64_t start_count = len(starts), found = 0
        cdef int32_t[::1] begins = begin if len(begin) else np.zeros(1, np.int32)
        part = np.zeros(max(options.keep * self.cells, 1), np.int32)
        cdef int32_t[::1] parts = part
        with nogil:
            check(c.hpmp_search(self.handle, ranks, &options, &begins[0], start_count, &parts[0],
                                &found))
        return list(part[:found * self.cells].reshape(found, self.cells))

    def measure(self, part, int32_t ranks):
        """Volume, balance and traffic of a placement."""
        cdef c.hpmp_metrics metrics
        cdef int32_t[::1] parts = self._checked(part)
        weight = np.zeros(max(ranks, 1), np.int64)
        pairs = np.zeros((max(ranks, 1), max(ranks, 1)), np.int64)
        volume = np.zeros(max(self.nets, 1), np.int64)
        cdef int64_t[::1] weights = weight
        cdef int64_t[:, ::1] pair_view = pairs
        cdef int64_t[::1] volumes = volume
        with nogil:
            check(c.hpmp_measure(self.handle, &parts[0], ranks, &metrics, &weights[0],
                                 &pair_view[0, 0], &volumes[0]))
        return Metrics(metrics.activation_elems, metrics.parameter_elems, metrics.imbalance,
                       weight, pairs, volume[:self.nets])

    def predict(self, part, int32_t ranks, dict machine not None):
        """What Plan.build would promise, without the plan; `machine` as there."""
        cdef int32_t[::1] parts = self._checked(part)
        cdef _Machine m = _Machine(machine)
        cdef c.hpmp_prediction p
        memory = np.zeros(max(ranks, 1), np.int64)
        cdef int64_t[::1] bytes_view = memory
        with nogil:
            check(c.hpmp_predict(self.handle, &parts[0], ranks, &m.machine, &p, &bytes_view[0]))
        return Prediction(p.messages, p.activation_elems, p.parameter_elems, p.imbalance,
                          p.step_seconds, p.bubble_fraction, p.compute_seconds, p.network_seconds,
                          p.activation_bytes, p.parameter_bytes, memory.tolist())

    def improve(self, int32_t ranks, dict machine not None, *, starts, seed=None, work=None,
                seconds=None, bint ladder=True):
        """The placement (int32, part per cell) of least predicted step time, and that time."""
        cdef c.hpmp_improve_options options
        c.hpmp_improve_options_default(&options)
        options.seed = options.seed if seed is None else seed
        options.work = options.work if work is None else work
        options.seconds = options.seconds if seconds is None else seconds
        options.ladder = ladder
        cdef _Machine m = _Machine(machine)
        begin = np.array([self._checked(start) for start in starts], np.int32).reshape(-1)
        cdef int64_t start_count = len(starts)
        cdef int32_t[::1] begins = begin if len(begin) else np.zeros(1, np.int32)
        part = np.zeros(max(self.cells, 1), np.int32)
        cdef int32_t[::1] parts = part
        cdef double found = 0
        with nogil:
            check(c.hpmp_improve(self.handle, ranks, &m.machine, &options, &begins[0], start_count,
                                 &parts[0], &found))
        return part[:self.cells], found

    def _checked(self, part):
        parts = np.ascontiguousarray(part, dtype=np.int32)
        if parts.shape != (self.cells,):
            raise InvalidArgumentError(
                f"a placement of {parts.shape} parts; the hypergraph has {self.cells} cells")
        return parts if self.cells else np.zeros(1, np.int32)


class Program(NamedTuple):
    """[instructions]; kind indexes INSTRUCTIONS. live_bytes: of the arena, while it runs."""

    kind: np.ndarray
    group: np.ndarray
    shard: np.ndarray
    message: np.ndarray
    live_bytes: np.ndarray


class Messages(NamedTuple):
    """[messages]; kind indexes MESSAGES."""

    kind: np.ndarray
    sender: np.ndarray
    receiver: np.ndarray
    elems: np.ndarray
    bytes: np.ndarray


class Tasks(NamedTuple):
    """[tasks]; channels: how many of the group's output."""

    group: np.ndarray
    shard: np.ndarray
    channels: np.ndarray


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


def op_names():
    """Every operator, as graphs spell it."""
    names = []
    while c.hpmp_op_name(len(names)) != NULL:
        names.append(c.hpmp_op_name(len(names)).decode())
    return names


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

    def all_reduce(self, int32_t group, int64_t size, int32_t repeats):
        """Seconds of a sum over ranks [0, group), who all call; `size` in bytes."""
        times = np.zeros(max(repeats, 1))
        cdef double[::1] view = times
        with nogil:
            check(c.hpmp_bench_all_reduce(self.handle, group, size, repeats, &view[0]))
        return times


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
                  str device not None="cpu", int32_t gpu=0, bint tf32=False, gpu_memory=None):
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

    def set_momentum(self, int64_t index, const float[::1] data):
        cdef const float* raw = &data[0] if data.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_set_momentum(self.handle, index, raw, data.shape[0]))

    def get_momentum(self, int64_t index, float[::1] out):
        cdef float* raw = &out[0] if out.shape[0] else NULL
        with nogil:
            check(c.hpmp_engine_get_momentum(self.handle, index, raw, out.shape[0]))

    def set_step(self, int64_t step):
        """Goes on after `step` steps."""
        check(c.hpmp_engine_set_step(self.handle, step))

    def train_step(self, images, labels, *, double lr, double momentum=0.0,
                   double weight_decay=0.0):
        """One step on the global batch. Collective."""
        cdef _Tensor x = _Tensor(images, "images")
        cdef _Tensor y = _Tensor(labels, "labels")
        cdef c.hpmp_sgd sgd
        cdef c.hpmp_step_result result
        sgd.lr, sgd.momentum, sgd.weight_decay = lr, momentum, weight_decay
        with nogil:
            check(c.hpmp_engine_train_step(self.handle, x.tensor, y.tensor, &sgd, &result))
        return StepResult(result.loss, result.correct, result.counted, self.confusion())

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
        return StepResult(result.loss, result.correct, result.counted, self.confusion())

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
        """Bytes of the same messages, to all ranks."""
        cdef int64_t sent = 0
        check(c.hpmp_engine_sent_bytes(self.handle, &sent))
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
