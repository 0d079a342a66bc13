"""The planner's choice among its candidates.

With the objective `time` the least predicted step time among the plans that fit the memory wins;
with `volume` the least volume among those whose imbalance is within epsilon.
"""

from __future__ import annotations

from pyhpmp import _core, partitioners
from pyhpmp.bounds import compute_seconds, network_seconds
from pyhpmp.candidates import Candidate, Request, attempts
from pyhpmp.errors import HpmpError, InfeasiblePlanError, InvalidArgumentError
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
    best: dict[str, Candidate] = {}
    refused: dict[str, HpmpError] = {}
    for name, made in attempts(graph, request):
        if isinstance(made, HpmpError):
            refused.setdefault(name, made)
        elif name not in best or _rank(made, request) < _rank(best[name], request):
            best[name] = made
    chosen = _chosen(best, refused, request)
    chosen.plan.verify(graph)
    return chosen.plan, comparison(chosen, best, refused, request)


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
    return InfeasiblePlanError(
        f"no plan fits {gib(request.memory_bytes)} per rank: the smallest ('{smallest.name}') "
        f"needs {gib(memory[worst])} on rank {worst}, "
        f"{gib(memory[worst] - request.memory_bytes)} too much; "
        "use more ranks, more shards or a smaller batch"
    )


def gib(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"


def comparison(
    chosen: Candidate,
    best: dict[str, Candidate],
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
    name: str, candidate: Candidate | None, refusal: HpmpError | None, request: Request
) -> Strategy:
    if candidate is None:
        return Strategy(name, refusal=str(refusal or ""))
    plan, needs = candidate.plan, max(candidate.memory_bytes())
    fits = _fits(candidate, request)
    return Strategy(
        name,
        plan.activation_elems * ELEMENT_BYTES,
        plan.parameter_elems * ELEMENT_BYTES,
        plan.imbalance,
        candidate.memory_bytes(),
        plan.step_seconds,
        plan.bubble_fraction,
        fits,
        compute_seconds(plan),
        network_seconds(plan, request.machine),
        "" if fits else f"needs {gib(needs)} on a rank, the limit is {gib(request.memory_bytes)}",
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
