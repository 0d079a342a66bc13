"""The planner's choice among its candidates.

With the objective `time` the least predicted step time among the plans that fit the memory wins;
with `volume` the least volume among those whose imbalance is within epsilon. Candidates are told
apart by their predictions; only the plan that is chosen is made.
"""

from __future__ import annotations

from pyhpmp import _core, partitioners, relief
from pyhpmp.candidates import Candidate, attempts
from pyhpmp.errors import HpmpError, InfeasiblePlanError, InvalidArgumentError
from pyhpmp.records import Prediction
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES, Comparison, Strategy, crossover_batch

OBJECTIVES = ("time", "volume")
STRATEGIES = ("auto", "hypergraph", *BASELINES)
EPSILON_SLACK = 1e-6
MOST_RANKS = 4096  # every pair of them may talk


def choose(graph: _core.Graph, request: Request) -> tuple[_core.Plan, Comparison]:
    """Plans a prepared graph.

    Raises:
        InvalidArgumentError: a wish that no plan can mean (batch and ranks, names, shards).
        InfeasiblePlanError: no candidate exists or fits, saying why or by how much.
    """
    check(request)
    found, refused = tried(graph, request)
    chosen = _chosen(graph, found, refused, request)
    chosen.plan.verify(graph)
    best = {name: candidate.figures for name, candidate in leaders(found, request).items()}
    best[chosen.name] = chosen.figures
    return chosen.plan, comparison(chosen.name, best, refused, request)


Found = dict[str, list[Candidate]]


def tried(graph: _core.Graph, request: Request) -> tuple[Found, dict[str, HpmpError]]:
    """The candidates of each strategy that is asked for, and why the others have none."""
    found: Found = {}
    refused: dict[str, HpmpError] = {}
    for name, made in attempts(graph, request):
        if isinstance(made, HpmpError):
            refused.setdefault(name, made)
        else:
            found.setdefault(name, []).append(made)
    return found, refused


def leaders(found: Found, request: Request) -> dict[str, Candidate]:
    """The best candidate of each strategy."""
    return {name: _best(candidates, request) for name, candidates in found.items()}


def _best(candidates: list[Candidate], request: Request) -> Candidate:
    """The first by the objective that fits the memory, else the one that needs least."""
    ordered = sorted(candidates, key=lambda candidate: _promise(candidate, request))
    for candidate in ordered:
        if _fits(candidate.figures, request):
            return candidate
    return min(ordered, key=lambda candidate: max(candidate.figures.memory_bytes))


def _promise(candidate: Candidate, request: Request) -> tuple[float, ...]:
    """Smaller is better; with `volume` all that can be said without simulating a step."""
    if request.objective == "time":
        return candidate.figures.step_seconds, _volume(candidate.figures)
    excess = max(candidate.metrics.imbalance - request.epsilon - EPSILON_SLACK, 0.0)
    return excess, candidate.volume


def check(request: Request) -> None:
    """Rules that need no hypergraph."""
    if request.ranks < 1 or request.batch < 1:
        raise InvalidArgumentError(
            f"cannot plan {request.ranks} ranks with batch {request.batch}; both are at least 1"
        )
    if request.ranks > MOST_RANKS:
        raise InvalidArgumentError(
            f"cannot plan {request.ranks} ranks; plans are made for at most {MOST_RANKS}"
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
    if request.recompute not in _core.RECOMPUTE:
        raise InvalidArgumentError(
            f"unknown recompute '{request.recompute}'; use one of {', '.join(_core.RECOMPUTE)}"
        )
    if not 0 <= request.epsilon < 100:
        raise InvalidArgumentError(f"epsilon {request.epsilon} is no imbalance; 0.03 means 3%")
    if request.batch % request.ranks:
        below = request.batch // request.ranks * request.ranks
        near = " or ".join(str(b) for b in (below, below + request.ranks) if b)
        raise InvalidArgumentError(
            f"batch {request.batch} is not a multiple of {request.ranks} ranks; use {near}"
        )


def _volume(figures: Prediction) -> int:
    """Elements that all ranks send in a step."""
    return figures.activation_elems + figures.parameter_elems


def _fits(figures: Prediction, request: Request) -> bool:
    return not request.memory_bytes or max(figures.memory_bytes) <= request.memory_bytes


def _rank(candidate: Candidate, request: Request) -> tuple[float, ...]:
    """Smaller is better: plans that fit come first, classical ones where all else is equal."""
    figures, last = candidate.figures, float(candidate.name not in BASELINES)
    fits = 0.0 if _fits(figures, request) else 1.0
    if request.objective == "time":
        return fits, figures.step_seconds, _volume(figures), last
    excess = max(figures.imbalance - request.epsilon - EPSILON_SLACK, 0.0)
    return fits, excess, _volume(figures), figures.step_seconds, last


def _chosen(
    graph: _core.Graph, found: Found, refused: dict[str, HpmpError], request: Request
) -> Candidate:
    """The best whose plan, once made, fits; its memory may be more than was predicted."""
    wanted = {name: c for name, c in found.items() if request.strategy in ("auto", name)}
    while wanted:
        best = list(leaders(wanted, request).values())
        chosen = min(best, key=lambda candidate: _rank(candidate, request))
        if not _fits(chosen.figures, request):
            raise _too_large(graph, best, request) or next(iter(refused.values()))
        chosen.make()
        if _fits(chosen.figures, request):
            return chosen
    raise _too_large(graph, [], request) or next(iter(refused.values()))


def _too_large(
    graph: _core.Graph, wanted: list[Candidate], request: Request
) -> InfeasiblePlanError | None:
    """What the leanest plan needs and what would fit; None where memory is not what is short."""
    if not request.memory_bytes:
        return None
    limit, leanest = request.memory_bytes, relief.least(graph, request)
    needs = [relief.Need(c.name, c.figures.memory_bytes) for c in wanted]
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
    chosen: str,
    best: dict[str, Prediction],
    refused: dict[str, HpmpError],
    request: Request,
) -> Comparison:
    """The chosen strategy first, then every baseline, also where it has no plan."""
    names = [chosen, *(name for name in ("hypergraph", *BASELINES) if name != chosen)]
    rows = [
        _row(name, best.get(name), refused.get(name), request)
        for name in names
        if name in best or name in refused or name in BASELINES
    ]
    return Comparison(chosen, rows, _crossover(chosen, best, request))


def _row(
    name: str, figures: Prediction | None, refusal: HpmpError | None, request: Request
) -> Strategy:
    if figures is None:
        return Strategy(name, refusal=str(refusal or ""))
    fits, needs = _fits(figures, request), max(figures.memory_bytes)
    return Strategy(
        name,
        figures.activation_bytes,
        figures.parameter_bytes,
        figures.imbalance,
        figures.memory_bytes,
        figures.step_seconds,
        figures.bubble_fraction,
        fits,
        figures.compute_seconds,
        figures.network_seconds,
        "" if fits else f"needs {gib(needs)} on a rank, the limit is {gib(request.memory_bytes)}",
    )


def _crossover(chosen: str, best: dict[str, Prediction], request: Request) -> int | None:
    """For the chosen plan or, where that is data parallelism, the best of the others by volume."""
    data = best.get("data")
    others = [figures for name, figures in best.items() if name != "data"]
    rivals = [best[chosen]] if chosen != "data" else others
    if data is None or not rivals or not request.training or request.ranks == 1:
        return None
    rival = min(rivals, key=_volume)
    return crossover_batch(
        data.parameter_bytes, rival.activation_bytes, rival.parameter_bytes, request.batch
    )
