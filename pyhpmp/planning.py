"""The planner's choice among its candidates.

With the objective `time` the least predicted step time among the plans that fit the memory wins;
with `volume` the least volume among those whose imbalance is within epsilon.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyhpmp import _core, partitioners, relief
from pyhpmp.bounds import compute_seconds, network_seconds
from pyhpmp.candidates import Candidate, attempts
from pyhpmp.errors import HpmpError, InfeasiblePlanError, InvalidArgumentError
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES, ELEMENT_BYTES, Comparison, Strategy, crossover_batch

OBJECTIVES = ("time", "volume")
STRATEGIES = ("auto", "hypergraph", *BASELINES)
EPSILON_SLACK = 1e-6


def choose(graph: _core.Graph, request: Request) -> tuple[_core.Plan, Comparison]:
    """Plans a prepared graph.

    Raises:
        InvalidArgumentError: a wish that no plan can mean (batch and ranks, names, shards).
        InfeasiblePlanError: no candidate exists or fits, saying why or by how much.
    """
    check(request)
    best, refused = tried(graph, request)
    chosen = _chosen(graph, best, refused, request)
    chosen.plan.verify(graph)
    return chosen.plan, comparison(chosen, best, refused, request)


def tried(graph: _core.Graph, request: Request) -> tuple[dict[str, Planned], dict[str, HpmpError]]:
    """The best plan of each strategy that is asked for, and why the others have none."""
    found: dict[str, list[Candidate]] = {}
    refused: dict[str, HpmpError] = {}
    for name, made in attempts(graph, request):
        if isinstance(made, HpmpError):
            refused.setdefault(name, made)
        else:
            found.setdefault(name, []).append(made)
    return {name: _best(candidates, request) for name, candidates in found.items()}, refused


@dataclass(frozen=True)
class Planned:
    """A strategy's name and its plan."""

    name: str
    plan: _core.Plan

    @property
    def volume(self) -> int:
        """Elements that all ranks send in a step."""
        return self.plan.activation_elems + self.plan.parameter_elems

    def memory_bytes(self) -> list[int]:
        return relief.memory_of(self.plan)


def _best(candidates: list[Candidate], request: Request) -> Planned:
    """The first by the objective that fits the memory, else the one that needs least."""
    best: Planned | None = None
    for candidate in sorted(candidates, key=lambda candidate: _promise(candidate, request)):
        planned = Planned(candidate.name, candidate.plan)
        if _fits(planned, request):
            return planned
        if best is None or max(planned.memory_bytes()) < max(best.memory_bytes()):
            best = planned
    assert best is not None, "a name has candidates"
    return best


def _promise(candidate: Candidate, request: Request) -> tuple[float, ...]:
    """Smaller is better; all that can be said without making the plan."""
    if request.objective == "time":
        return candidate.seconds, candidate.volume
    excess = max(candidate.metrics.imbalance - request.epsilon - EPSILON_SLACK, 0.0)
    return excess, candidate.volume


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
    if request.partitioner not in partitioners.PARTITIONERS:
        raise InvalidArgumentError(
            f"unknown partitioner '{request.partitioner}'; use one of "
            f"{', '.join(partitioners.PARTITIONERS)}"
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


def _fits(planned: Planned, request: Request) -> bool:
    return not request.memory_bytes or max(planned.memory_bytes()) <= request.memory_bytes


def _rank(planned: Planned, request: Request) -> tuple[float, ...]:
    """Smaller is better: plans that fit come first, classical ones where all else is equal."""
    fits = 0.0 if _fits(planned, request) else 1.0
    plan, last = planned.plan, float(planned.name not in BASELINES)
    if request.objective == "time":
        return fits, plan.step_seconds, planned.volume, last
    excess = max(plan.imbalance - request.epsilon - EPSILON_SLACK, 0.0)
    return fits, excess, planned.volume, plan.step_seconds, last


def _chosen(
    graph: _core.Graph, best: dict[str, Planned], refused: dict[str, HpmpError], request: Request
) -> Planned:
    wanted = [c for c in best.values() if request.strategy in ("auto", c.name)]
    if not wanted:
        raise _too_large(graph, [], request) or next(iter(refused.values()))
    chosen = min(wanted, key=lambda planned: _rank(planned, request))
    if not _fits(chosen, request):
        raise _too_large(graph, wanted, request) or next(iter(refused.values()))
    return chosen


def _too_large(
    graph: _core.Graph, wanted: list[Planned], request: Request
) -> InfeasiblePlanError | None:
    """What the leanest plan needs and what would fit; None where memory is not what is short."""
    if not request.memory_bytes:
        return None
    limit, leanest = request.memory_bytes, relief.least(graph, request)
    needs = [relief.Need(planned.name, planned.memory_bytes()) for planned in wanted]
    if leanest is not None and leanest.most > limit:
        needs.append(leanest)
    if not needs:
        return None
    nearest = min(needs, key=lambda need: need.most)
    return InfeasiblePlanError(
        f"no plan fits {gib(limit)} per rank: the smallest ('{nearest.name}') needs "
        f"{gib(nearest.most)} on rank {nearest.memory.index(nearest.most)}, "
        f"{gib(nearest.most - limit)} too much; {relief.advice(graph, leanest, request)}"
    )


def gib(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"


def comparison(
    chosen: Planned,
    best: dict[str, Planned],
    refused: dict[str, HpmpError],
    request: Request,
) -> Comparison:
    """The chosen strategy first, then every baseline, also where it has no plan."""
    names = [chosen.name, *(name for name in ("hypergraph", *BASELINES) if name != chosen.name)]
    rows = [
        _row(name, best.get(name), refused.get(name), request)
        for name in names
        if name in best or name in refused or name in BASELINES
    ]
    return Comparison(chosen.name, rows, _crossover(chosen, best, request))


def _row(
    name: str, planned: Planned | None, refusal: HpmpError | None, request: Request
) -> Strategy:
    if planned is None:
        return Strategy(name, refusal=str(refusal or ""))
    plan, needs = planned.plan, max(planned.memory_bytes())
    fits = _fits(planned, request)
    return Strategy(
        name,
        plan.activation_elems * ELEMENT_BYTES,
        plan.parameter_elems * ELEMENT_BYTES,
        plan.imbalance,
        planned.memory_bytes(),
        plan.step_seconds,
        plan.bubble_fraction,
        fits,
        compute_seconds(plan),
        network_seconds(plan, request.machine),
        "" if fits else f"needs {gib(needs)} on a rank, the limit is {gib(request.memory_bytes)}",
    )


def _crossover(chosen: Planned, best: dict[str, Planned], request: Request) -> int | None:
    """For the chosen plan or, where that is data parallelism, the best of the others by volume."""
    data = best.get("data")
    rivals = [chosen] if chosen.name != "data" else [c for c in best.values() if c.name != "data"]
    if data is None or not rivals or not request.training or request.ranks == 1:
        return None
    rival = min(rivals, key=lambda planned: planned.volume).plan
    return crossover_batch(
        data.plan.parameter_elems, rival.activation_elems, rival.parameter_elems, request.batch
    )
