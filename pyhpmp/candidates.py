"""Candidate placements: the classical strategies and those that a search finds, on many grids."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pyhpmp import _core, fastest
from pyhpmp.errors import HpmpError
from pyhpmp.figures import figures
from pyhpmp.grids import Grids, shard_counts
from pyhpmp.partitioners import partition_best
from pyhpmp.partitioners.portfolio import WORK
from pyhpmp.records import Metrics, Prediction
from pyhpmp.request import DEFAULT_SECONDS, Request
from pyhpmp.strategies import BASELINES

# A small network needs no more than this many touches of each pin of its finest grid.
WORK_PER_PIN = 30_000
# Of the time that is left, what the searches may take; the rest is for making the plan.
SEARCH_SHARE = 0.65
# A step of which its busiest rank computes this share gets hardly shorter on a finer grid.
AT_ITS_BOUND = 0.95


class Candidate:
    """A placement under a strategy's name; its plan is made when it is first asked for."""

    def __init__(
        self,
        name: str,
        shards: int,
        hypergraph: _core.Hypergraph,
        part: npt.ArrayLike,
        request: Request,
    ) -> None:
        self.name, self.shards = name, shards
        self._hypergraph, self._part, self._request = hypergraph, part, request
        self._plan: _core.Plan | None = None

    @cached_property
    def metrics(self) -> Metrics:
        return self._hypergraph.measure(self._part, self._request.ranks)

    @property
    def volume(self) -> int:
        """Elements that all ranks send in a step."""
        return self.metrics.activation_elems + self.metrics.parameter_elems

    @property
    def figures(self) -> Prediction:
        """Predicted; those of its plan once it is made."""
        return self._predicted if self._plan is None else self._planned

    @cached_property
    def _predicted(self) -> Prediction:
        request = self._request
        return self._hypergraph.predict(self._part, request.ranks, request.within)

    @cached_property
    def _planned(self) -> Prediction:
        return figures(self.plan, self._request.machine)

    def make(self) -> None:
        """Makes the plan, after which the figures are its own."""
        if self._plan is None:
            self._plan = self._build()

    def _build(self) -> _core.Plan:
        request = self._request
        return _core.Plan.build(
            self._hypergraph, self._part, request.ranks, self.name, request.within
        )

    @property
    def plan(self) -> _core.Plan:
        self.make()
        assert self._plan is not None
        return self._plan


Attempt = tuple[str, Candidate | HpmpError]


def attempts(graph: _core.Graph, request: Request) -> Iterator[Attempt]:
    """Every candidate, or why there is none, until time is up.

    The classical strategies always have their turn, first on the coarsest grid.
    """
    deadline = time.monotonic() + request.seconds * request.patience
    counts, names = shard_counts(graph, request), _names(request)
    grids, classical = Grids(graph, request), [name for name in names if name in BASELINES]
    for position, shards in enumerate(counts):
        if position and time.monotonic() > deadline:
            break
        tried = list(_classical(grids, shards, classical, request))
        yield from tried
        classical = _promising(tried, request)
    if "hypergraph" in names:
        now = time.monotonic()
        search_end = now + SEARCH_SHARE * max(0.0, deadline - now)
        yield from _placements(grids, counts, request, search_end)


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
            yield name, Candidate(name, shards, h, h.baseline(name, request.ranks), request)
        except HpmpError as error:
            yield name, error


def _promising(tried: list[Attempt], request: Request) -> list[str]:
    """Without those that the step of one that fits beats whatever the grid; see `_hopeless`."""
    names = [name for name, _ in tried]
    made = [candidate for _, candidate in tried if isinstance(candidate, Candidate)]
    limit = request.memory_bytes or math.inf
    fitting = [c for c in made if max(c.figures.memory_bytes) <= limit]
    if request.objective != "time" or not fitting:
        return names
    best = min(candidate.figures.step_seconds for candidate in fitting)
    hopeless = {c.name for c in made if _hopeless(c.figures, best)}
    return [name for name in names if name not in hopeless]


def _hopeless(figures: Prediction, best: float) -> bool:
    """Volume and work are the same on all grids: no step is shorter, nor gets much nearer."""
    if figures.network_seconds > best:
        return True
    return figures.compute_seconds > max(best, AT_ITS_BOUND * figures.step_seconds)


def _placements(
    grids: Grids, counts: list[int], request: Request, deadline: float
) -> Iterator[Attempt]:
    name = "hypergraph"
    try:
        if request.ranks == 1:
            whole = grids.fine(counts[0])
            part = np.zeros(whole.cells, np.int32)
            yield name, Candidate(name, counts[0], whole, part, request)
        elif request.objective == "time":
            for placed in fastest.search(grids, counts, request, deadline):
                yield (
                    name,
                    Candidate(name, placed.shards, placed.hypergraph, placed.part, request),
                )
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
        seconds=max(0.0, deadline - time.monotonic()),
        partitioner=request.partitioner,
        share=request.machine.get("rank_speed"),
        work=_work(grids, counts, request),
    )
    for placed in found:
        h = grids.fine(placed.shards)
        yield "hypergraph", Candidate("hypergraph", placed.shards, h, placed.part, request)


def _work(grids: Grids, counts: list[int], request: Request) -> int:
    share = request.seconds / DEFAULT_SECONDS
    pins = len(grids.fine(counts[-1]).pin_cell)
    return int(min(WORK, WORK_PER_PIN * pins) * share)
