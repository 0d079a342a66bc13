# Networks: what they hold, their text, the time of one op.

from pyhpmp.records import NodeInfo, OpShape, ParamInfo, Passes, PassTimes, ValueInfo


def op_names():
    """Every operator, as graphs spell it."""
    names = []
    while c.hpmp_op_name(len(names)) != NULL:
        names.append(c.hpmp_op_name(len(names)).decode())
    return names


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
