"""The planner's portfolio: makes candidate placements, predicts each, and chooses.

Candidates are the classical strategies and hypergraph partitions, each on grids of several shard
counts. With the objective `time` the least predicted step time among the plans that fit the memory
wins; with `volume` the least volume among those whose imbalance is within epsilon.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyhpmp import _core
from pyhpmp.errors import HpmpError, InfeasiblePlanError, InvalidArgumentError
from pyhpmp.strategies import BASELINES, ELEMENT_BYTES, Comparison, Strategy, crossover_batch

OBJECTIVES = ("time", "volume")
STRATEGIES = ("auto", "hypergraph", *BASELINES)
SHARD_FACTORS = (1, 2, 4, 8)
EPSILON_SLACK = 1e-9


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
    partitioner: str = "kahypar"
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


def choose(graph: _core.Graph, request: Request) -> tuple[_core.Plan, Comparison]:
    """Plans a prepared graph.

    Raises:
        InvalidArgumentError: a wish that no plan can mean (batch and ranks, names, shards).
        InfeasiblePlanError: no candidate exists or fits, saying why or by how much.
    """
    check(request)
    best: dict[str, Candidate] = {}
    refused: dict[str, HpmpError] = {}
    for name, made in _attempts(graph, request):
        if isinstance(made, HpmpError):
            refused.setdefault(name, made)
        elif name not in best or _rank(made, request) < _rank(best[name], request):
            best[name] = made
    chosen = _chosen(best, refused, request)
    chosen.plan.verify(graph)
    return chosen.plan, comparison(chosen, best, request)


def check(request: Request) -> None:
    """Rules that need no hypergraph."""
    if request.ranks < 1 or request.batch < 1:
        raise InvalidArgumentError(
            f"cannot plan {request.ranks} ranks with batch {request.batch}; both are at least 1"
        )
    if request.strategy not in STRATEGIES:
        raise InvalidArgumentError(
            f"unknown strategy '{request.strategy}'; use one of {', '.join(STRATEGIES)}"
        )
    if request.objective not in OBJECTIVES:
        raise InvalidArgumentError(f"unknown objective '{request.objective}'; use time or volume")
    if not 0 <= request.epsilon < 100:
        raise InvalidArgumentError(f"epsilon {request.epsilon} is no imbalance; 0.03 means 3%")
    if request.batch % request.ranks:
        below = request.batch // request.ranks * request.ranks
        near = " or ".join(str(b) for b in (below, below + request.ranks) if b)
        raise InvalidArgumentError(
            f"batch {request.batch} is not a multiple of {request.ranks} ranks; use {near}"
        )


def _attempts(graph: _core.Graph, request: Request) -> Iterator[tuple[str, Candidate | HpmpError]]:
    """Every candidate, or why there is none, most promising first, until time is up."""
    deadline = time.monotonic() + request.seconds
    for position, shards in enumerate(shard_counts(graph, request)):
        if position and time.monotonic() > deadline:
            return
        try:
            hypergraph = _hypergraph(graph, request, shards)
        except HpmpError as error:
            yield request.strategy, error
            continue
        for name in _names(request):
            if position and time.monotonic() > deadline:
                return
            try:
                yield name, _candidate(hypergraph, name, request)
            except HpmpError as error:
                yield name, error


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


def _candidate(hypergraph: _core.Hypergraph, name: str, request: Request) -> Candidate:
    if request.ranks == 1:
        part = np.zeros(hypergraph.cells, np.int32)
    elif name == "hypergraph":
        part = hypergraph.search(request.ranks, epsilon=request.epsilon, seed=request.seed)[0]
    else:
        part = hypergraph.baseline(name, request.ranks)
    plan = _core.Plan.build(hypergraph, part, request.ranks, name, request.machine)
    return Candidate(name, plan)


def _fits(candidate: Candidate, request: Request) -> bool:
    return not request.memory_bytes or max(candidate.memory_bytes()) <= request.memory_bytes


def _rank(candidate: Candidate, request: Request) -> tuple[float, ...]:
    """Smaller is better: plans that fit come first, classical ones where all else is equal."""
    fits = 0.0 if _fits(candidate, request) else 1.0
    plan, last = candidate.plan, float(candidate.name not in BASELINES)
    if request.objective == "time":
        return fits, plan.step_seconds, candidate.volume, last
    excess = max(plan.imbalance - request.epsilon - EPSILON_SLACK, 0.0)
    return fits, excess, candidate.volume, plan.step_seconds, last


def _chosen(
    best: dict[str, Candidate], refused: dict[str, HpmpError], request: Request
) -> Candidate:
    wanted = [c for c in best.values() if request.strategy in ("auto", c.name)]
    if not wanted:
        raise next(iter(refused.values()))
    chosen = min(wanted, key=lambda candidate: _rank(candidate, request))
    if not _fits(chosen, request):
        raise _too_large(wanted, request)
    return chosen


def _too_large(wanted: list[Candidate], request: Request) -> InfeasiblePlanError:
    smallest = min(wanted, key=lambda candidate: max(candidate.memory_bytes()))
    memory = smallest.memory_bytes()
    worst = memory.index(max(memory))
    gib = 2**30
    return InfeasiblePlanError(
        f"no plan fits {request.memory_bytes / gib:.3g} GiB per rank: the smallest "
        f"('{smallest.name}') needs {memory[worst] / gib:.3g} GiB on rank {worst}, "
        f"{(memory[worst] - request.memory_bytes) / gib:.3g} GiB too much; "
        "use more ranks, more shards or a smaller batch"
    )


def comparison(chosen: Candidate, best: dict[str, Candidate], request: Request) -> Comparison:
    """The chosen strategy first, then every baseline, also where it has no plan."""
    names = [chosen.name, *(name for name in ("hypergraph", *BASELINES) if name != chosen.name)]
    rows = [
        _row(name, best.get(name), request) for name in names if name in best or name in BASELINES
    ]
    return Comparison(chosen.name, rows, _crossover(chosen, best, request))


def _row(name: str, candidate: Candidate | None, request: Request) -> Strategy:
    if candidate is None:
        return Strategy(name)
    plan = candidate.plan
    return Strategy(
        name,
        plan.activation_elems * ELEMENT_BYTES,
        plan.parameter_elems * ELEMENT_BYTES,
        plan.imbalance,
        candidate.memory_bytes(),
        plan.step_seconds,
        plan.bubble_fraction,
        _fits(candidate, request),
    )


def _crossover(chosen: Candidate, best: dict[str, Candidate], request: Request) -> int | None:
    """For the chosen plan or, where that is data parallelism, the best of the others by volume."""
    data = best.get("data")
    rivals = [chosen] if chosen.name != "data" else [c for c in best.values() if c.name != "data"]
    if data is None or not rivals or not request.training or request.ranks == 1:
        return None
    rival = min(rivals, key=lambda candidate: candidate.volume).plan
    return crossover_batch(
        data.plan.parameter_elems, rival.activation_elems, rival.parameter_elems, request.batch
    )
