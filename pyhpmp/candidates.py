"""Candidates for a plan: the classical strategies and hypergraph partitions, on several grids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyhpmp import _core, partitioners
from pyhpmp.errors import HpmpError, InfeasiblePlanError
from pyhpmp.strategies import BASELINES

SHARD_FACTORS = (1, 2, 4, 8)
# Part of the planning time that the partitioner may use; predicting its placements takes the rest.
SEARCH_SHARE = 0.6
# Pins that a search touches: so many for each pin of the largest grid, but never more than some
# two seconds' worth.
WORK_PER_PIN = 30_000
LARGEST_WORK = 350_000_000


@dataclass(frozen=True)
class Request:
    """What is asked of the planner.

    shards: sample shards, or None to try several. epsilon: imbalance that the partitioner may
    leave. machine: fields of hpmp_machine that differ from the defaults. memory_bytes: limit per
    rank, 0 for none. seconds: after which no further candidate is begun. compare: predict the
    classical strategies even where `strategy` names another.
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


class _Grids:
    """The hypergraphs of one network, by shard count, each built once."""

    def __init__(self, graph: _core.Graph, request: Request) -> None:
        self.graph, self.request = graph, request
        self._made: dict[int, _core.Hypergraph] = {}

    def get(self, shards: int) -> _core.Hypergraph:
        if shards not in self._made:
            self._made[shards] = self._make(shards)
        return self._made[shards]

    def _make(self, shards: int) -> _core.Hypergraph:
        request = self.request
        hypergraph = _core.Hypergraph(
            self.graph,
            batch=request.batch,
            shards=shards,
            bn_group=request.bn_group,
            training=request.training,
        )
        if hypergraph.cells < request.ranks:
            raise InfeasiblePlanError(
                f"{request.ranks} ranks are more than the {hypergraph.cells} cells that the model "
                f"has with {shards} shards; use fewer ranks or more --shards"
            )
        return hypergraph

    def candidate(
        self, hypergraph: _core.Hypergraph, part: npt.NDArray[np.int32], name: str
    ) -> Candidate:
        request = self.request
        return Candidate(
            name, _core.Plan.build(hypergraph, part, request.ranks, name, request.machine)
        )


def attempts(graph: _core.Graph, request: Request) -> Iterator[tuple[str, Candidate | HpmpError]]:
    """Every candidate, or why there is none, most promising first.

    Each strategy is tried at least once; after that, until time is up.
    """
    deadline = time.monotonic() + request.seconds
    grids = _Grids(graph, request)
    counts = shard_counts(graph, request)
    names = _names(request)
    first = [(name, counts[0]) for name in names if name in BASELINES]
    rest = [(name, count) for count in counts[1:] for name in names if name in BASELINES]
    yield from (_classical(grids, name, shards) for name, shards in first)
    if "hypergraph" in names:
        yield from _partitioned(grids, counts, deadline)
    for name, shards in rest:
        if time.monotonic() > deadline:
            return
        yield _classical(grids, name, shards)


def _classical(grids: _Grids, name: str, shards: int) -> tuple[str, Candidate | HpmpError]:
    try:
        hypergraph = grids.get(shards)
        part = hypergraph.baseline(name, grids.request.ranks)
        return name, grids.candidate(hypergraph, part, name)
    except HpmpError as error:
        return name, error


def _partitioned(
    grids: _Grids, counts: list[int], deadline: float
) -> Iterator[tuple[str, Candidate | HpmpError]]:
    """Placements by a partitioner: the best by volume, and for the objective `time` others too."""
    name, request = "hypergraph", grids.request
    try:
        for position, found in enumerate(_placements(grids, counts)):
            late = time.monotonic() > deadline or request.objective == "volume"
            if position and late:
                return
            yield name, grids.candidate(grids.get(found.shards), found.part, name)
    except HpmpError as error:
        yield name, error


def _placements(grids: _Grids, counts: list[int]) -> list[partitioners.Placement]:
    request = grids.request
    if request.ranks == 1:
        hypergraph = grids.get(counts[0])
        part = np.zeros(hypergraph.cells, np.int32)
        return [partitioners.Placement(counts[0], hypergraph, part, 0, 0.0)]
    pins = len(grids.get(counts[-1]).pin_cell)
    return partitioners.partition_best(
        grids.get,
        counts,
        request.ranks,
        epsilon=request.epsilon,
        seed=request.seed,
        seconds=request.seconds * SEARCH_SHARE,
        partitioner=request.partitioner,
        share=request.machine.get("rank_speed"),
        work=min(LARGEST_WORK, WORK_PER_PIN * pins),
    )


def _names(request: Request) -> list[str]:
    if request.strategy == "auto":
        return ["hypergraph", *BASELINES]
    if request.compare:
        return [request.strategy, *(name for name in BASELINES if name != request.strategy)]
    return [request.strategy]


def shard_counts(graph: _core.Graph, request: Request) -> list[int]:
    """Shard counts worth trying: K, 2K, 4K, 8K where the batch and its statistics groups allow."""
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
