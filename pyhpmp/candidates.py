"""Candidate plans: the classical strategies and hypergraph placements, on many grids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import _core
from pyhpmp.errors import HpmpError, InfeasiblePlanError
from pyhpmp.partitioners import partition_best
from pyhpmp.partitioners.portfolio import WORK
from pyhpmp.strategies import BASELINES

SHARD_FACTORS = (1, 2, 4, 8, 16)
# The work of the searches that `seconds` of the default allows.
DEFAULT_SECONDS = 4.0
# A small network needs no more than this many touches of each pin of its finest grid.
WORK_PER_PIN = 30_000
# Of the time that is left, what the searches may take; the rest is for building plans.
SEARCH_SHARE = 0.8


@dataclass(frozen=True)
class Request:
    """What is asked of the planner.

    shards: sample shards, or None to try several. epsilon: imbalance that the partitioner may
    leave. machine: fields of hpmp_machine that differ from the defaults. memory_bytes: limit per
    rank, 0 for none. seconds: for making candidates. compare: predict the classical strategies even
    where `strategy` names another.
    """

    ranks: int
    batch: int
    strategy: str = "auto"
    objective: str = "time"
    shards: int | None = None
    epsilon: float = 0.03
    bn_group: int = 0
    seed: int = 0
    partitioner: str = "native"
    machine: dict[str, Any] = field(default_factory=dict)
    memory_bytes: int = 0
    training: bool = True
    seconds: float = 4.0
    compare: bool = False


@dataclass(frozen=True)
class Candidate:
    """A strategy's name and its plan on one grid."""

    name: str
    plan: _core.Plan

    @property
    def volume(self) -> int:
        return self.plan.activation_elems + self.plan.parameter_elems

    def memory_bytes(self) -> list[int]:
        ranks = (self.plan.rank(rank) for rank in range(self.plan.ranks))
        return [info.arena_bytes + info.param_bytes for info in ranks]


Attempt = tuple[str, Candidate | HpmpError]


class Grids:
    """Hypergraphs of one network by shard count, made once."""

    def __init__(self, graph: _core.Graph, request: Request) -> None:
        self._graph, self._request = graph, request
        self._made: dict[int, _core.Hypergraph] = {}

    def __call__(self, shards: int) -> _core.Hypergraph:
        if shards not in self._made:
            self._made[shards] = _hypergraph(self._graph, self._request, shards)
        return self._made[shards]


def attempts(graph: _core.Graph, request: Request) -> Iterator[Attempt]:
    """Every candidate, or why there is none, until time is up.

    The classical strategies on the first grid always have their turn, then the hypergraph
    placements, then the classical strategies on the other grids.
    """
    deadline = time.monotonic() + request.seconds
    counts, names = shard_counts(graph, request), _names(request)
    grids, classical = Grids(graph, request), [name for name in names if name in BASELINES]
    yield from _classical(grids, counts[0], classical, request)
    if "hypergraph" in names:
        yield from _placements(grids, counts, request, deadline)
    for shards in counts[1:]:
        if time.monotonic() > deadline:
            return
        yield from _classical(grids, shards, classical, request)


def _names(request: Request) -> list[str]:
    if request.strategy == "auto":
        return ["hypergraph", *BASELINES]
    if request.compare:
        return [request.strategy, *(name for name in BASELINES if name != request.strategy)]
    return [request.strategy]


def _classical(grids: Grids, shards: int, names: list[str], request: Request) -> Iterator[Attempt]:
    for name in names:
        try:
            hypergraph = grids(shards)
            part = hypergraph.baseline(name, request.ranks)
            yield name, _candidate(hypergraph, part, name, request)
        except HpmpError as error:
            yield name, error


def _placements(
    grids: Grids, counts: list[int], request: Request, deadline: float
) -> Iterator[Attempt]:
    """Placements of least volume, best first; more time for candidates means a deeper search."""
    name = "hypergraph"
    try:
        if request.ranks == 1:
            whole = grids(counts[0])
            yield name, _candidate(whole, np.zeros(whole.cells, np.int32), name, request)
            return
        found = partition_best(
            grids,
            counts,
            request.ranks,
            epsilon=request.epsilon,
            seed=request.seed,
            seconds=SEARCH_SHARE * max(0.0, deadline - time.monotonic()),
            partitioner=request.partitioner,
            share=request.machine.get("rank_speed"),
            work=_work(grids, counts, request),
        )
    except HpmpError as error:
        yield name, error
        return
    for position, placed in enumerate(found):
        if position and time.monotonic() > deadline:
            return
        try:
            yield name, _candidate(grids(placed.shards), placed.part, name, request)
        except HpmpError as error:
            yield name, error


def _work(grids: Grids, counts: list[int], request: Request) -> int:
    share = request.seconds / DEFAULT_SECONDS
    pins = len(grids(counts[-1]).pin_cell)
    return int(min(WORK, WORK_PER_PIN * pins) * share)


def _candidate(
    hypergraph: _core.Hypergraph, part: npt.ArrayLike, name: str, request: Request
) -> Candidate:
    plan = _core.Plan.build(hypergraph, part, request.ranks, name, request.machine)
    return Candidate(name, plan)


def shard_counts(graph: _core.Graph, request: Request) -> list[int]:
    """Shard counts worth trying: K to 16K where the batch and its statistics groups allow."""
    if request.shards is not None:
        return [request.shards]
    if request.ranks == 1:
        return [1]
    units = request.batch
    if request.training and any(param.role == "running_mean" for param in graph.params):
        group = request.bn_group or min(request.batch, 32)
        units = request.batch // group if request.batch % group == 0 else 1
    counts = [request.ranks * factor for factor in SHARD_FACTORS]
    fitting = [count for count in counts if units % count == 0]
    return fitting or [max(count for count in range(1, request.ranks + 1) if units % count == 0)]


def _hypergraph(graph: _core.Graph, request: Request, shards: int) -> _core.Hypergraph:
    hypergraph = _core.Hypergraph(
        graph,
        batch=request.batch,
        shards=shards,
        bn_group=request.bn_group,
        training=request.training,
    )
    if hypergraph.cells < request.ranks:
        raise InfeasiblePlanError(
            f"{request.ranks} ranks are more than the {hypergraph.cells} cells that the model has "
            f"with {shards} shards; use fewer ranks or more --shards"
        )
    return hypergraph
