"""Candidate placements: the classical strategies and those that a search finds, on many grids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pyhpmp import _core, fastest
from pyhpmp.errors import HpmpError
from pyhpmp.grids import Grids, shard_counts
from pyhpmp.partitioners import partition_best
from pyhpmp.partitioners.portfolio import WORK
from pyhpmp.request import DEFAULT_SECONDS, Request
from pyhpmp.strategies import BASELINES, ELEMENT_BYTES

# A small network needs no more than this many touches of each pin of its finest grid.
WORK_PER_PIN = 30_000
# Of the time that is left, what the searches may take; the rest is for building plans.
SEARCH_SHARE = 0.8


class Candidate:
    """A placement under a strategy's name; its plan is made when it is first asked for."""

    def __init__(
        self, name: str, hypergraph: _core.Hypergraph, part: npt.ArrayLike, request: Request
    ) -> None:
        self.name = name
        self._hypergraph, self._part, self._request = hypergraph, part, request

    @cached_property
    def seconds(self) -> float:
        """Predicted step time."""
        request = self._request
        return self._hypergraph.step_seconds(self._part, request.ranks, request.machine)

    @cached_property
    def metrics(self) -> _core.Metrics:
        return self._hypergraph.measure(self._part, self._request.ranks)

    @property
    def volume(self) -> int:
        """Elements that all ranks send in a step."""
        return self.metrics.activation_elems + self.metrics.parameter_elems

    @property
    def busiest_elems(self) -> int:
        """Elements through the busiest direction of a rank's link in a step."""
        pairs = self.metrics.pair_elems
        return int(max(pairs.sum(axis=0).max(), pairs.sum(axis=1).max()))

    @cached_property
    def plan(self) -> _core.Plan:
        request = self._request
        return _core.Plan.build(
            self._hypergraph, self._part, request.ranks, self.name, request.machine
        )


Attempt = tuple[str, Candidate | HpmpError]


def attempts(graph: _core.Graph, request: Request) -> Iterator[Attempt]:
    """Every candidate, or why there is none, until time is up.

    The classical strategies always have their turn, first on the coarsest grid.
    """
    deadline = time.monotonic() + request.seconds
    counts, names = shard_counts(graph, request), _names(request)
    grids, classical = Grids(graph, request), [name for name in names if name in BASELINES]
    for position, shards in enumerate(counts):
        if position and time.monotonic() > deadline:
            break
        tried = list(_classical(grids, shards, classical, request))
        yield from tried
        classical = _promising(tried, request)
    if "hypergraph" in names:
        yield from _placements(grids, counts, request, deadline)


def _names(request: Request) -> list[str]:
    if request.strategy == "auto":
        return ["hypergraph", *BASELINES]
    if request.compare:
        return [request.strategy, *(name for name in BASELINES if name != request.strategy)]
    return [request.strategy]


def _classical(grids: Grids, shards: int, names: list[str], request: Request) -> Iterator[Attempt]:
    by_time = request.objective == "time"
    for name in names:
        try:
            h = grids.coarse(shards) if by_time else grids.fine(shards)
            yield name, Candidate(name, h, h.baseline(name, request.ranks), request)
        except HpmpError as error:
            yield name, error


def _promising(tried: list[Attempt], request: Request) -> list[str]:
    """Without those whose volume, the same on all grids, alone takes longer than another's step."""
    names = [name for name, _ in tried]
    made = [candidate for _, candidate in tried if isinstance(candidate, Candidate)]
    if request.objective != "time" or not made:
        return names
    best = min(candidate.seconds for candidate in made)
    rate = (_core.default_speeds() | request.machine)["link_bytes_per_second"]
    hopeless = {c.name for c in made if c.busiest_elems * ELEMENT_BYTES / rate > best}
    return [name for name in names if name not in hopeless]


def _placements(
    grids: Grids, counts: list[int], request: Request, deadline: float
) -> Iterator[Attempt]:
    name = "hypergraph"
    try:
        if request.ranks == 1:
            whole = grids.fine(counts[0])
            yield name, Candidate(name, whole, np.zeros(whole.cells, np.int32), request)
        elif request.objective == "time":
            for placed in fastest.search(grids, counts, request, deadline):
                yield name, Candidate(name, placed.hypergraph, placed.part, request)
        else:
            yield from _least_volume(grids, counts, request, deadline)
    except HpmpError as error:
        yield name, error


def _least_volume(
    grids: Grids, counts: list[int], request: Request, deadline: float
) -> Iterator[Attempt]:
    """Placements of least volume, best first; more time for candidates means a deeper search."""
    found = partition_best(
        grids.fine,
        counts,
        request.ranks,
        epsilon=request.epsilon,
        seed=request.seed,
        seconds=SEARCH_SHARE * max(0.0, deadline - time.monotonic()),
        partitioner=request.partitioner,
        share=request.machine.get("rank_speed"),
        work=_work(grids, counts, request),
    )
    for placed in found:
        yield "hypergraph", Candidate("hypergraph", grids.fine(placed.shards), placed.part, request)


def _work(grids: Grids, counts: list[int], request: Request) -> int:
    share = request.seconds / DEFAULT_SECONDS
    pins = len(grids.fine(counts[-1]).pin_cell)
    return int(min(WORK, WORK_PER_PIN * pins) * share)
