# Hypergraphs: their arrays, and placements of their cells found, measured and improved.

from pyhpmp.records import GroupInfo, Metrics, Prediction


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
                  str dtype not None="fp32", str optimizer not None="sgd"):
        cdef c.hpmp_grid grid
        c.hpmp_grid_default(&grid)
        grid.batch = batch
        grid.shards = shards
        grid.most_blocks = most_blocks
        grid.bn_group = bn_group
        grid.bn_sync = bn_sync
        grid.training = training
        grid.dtype = dtype_named(dtype)
        grid.optimizer = optimizer_named(optimizer)
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
