"""What the search for the shortest step starts from on one grid.

The classical strategies, replicated pipelines, and placements of little volume under a tight and a
loose balance.
"""

from __future__ import annotations

from pyhpmp import _core
from pyhpmp.errors import InfeasiblePlanError
from pyhpmp.partitioners import partition
from pyhpmp.partitioners.partition import LIBRARIES
from pyhpmp.partitioners.problem import Ints32
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES

# Pins that a search for little volume touches for each task that the search after it simulates.
PINS_PER_TASK = 3.75
# Balance matters little where the network binds.
LOOSE = 0.3
KEEP = 3


def starts_of(h: _core.Hypergraph, request: Request, work: int, seconds: float) -> list[Ints32]:
    """Half of `seconds`, at most, goes into those of little volume.

    work: tasks that the search from them may simulate.
    """
    ranks, starts = request.ranks, []
    replicas = [r for r in range(2, ranks) if ranks % r == 0]
    for name in (*BASELINES, *(f"data:{r}" for r in replicas)):
        try:
            starts.append(h.baseline(name, ranks))
        except InfeasiblePlanError:
            continue
    if request.partitioner in LIBRARIES:
        starts.append(_by_library(h, request, seconds))
    for epsilon in (request.epsilon, max(LOOSE, request.epsilon)):
        starts += h.search(
            ranks,
            epsilon=epsilon,
            seed=request.seed,
            work=int(PINS_PER_TASK * work),
            seconds=seconds / 4,
            keep=KEEP,
            share=request.machine.get("rank_speed"),
            starts=starts,
        )
    return starts


def _by_library(h: _core.Hypergraph, request: Request, seconds: float) -> Ints32:
    return partition(
        h,
        request.ranks,
        request.epsilon,
        request.seed,
        request.partitioner,
        tries=1,
        share=request.machine.get("rank_speed"),
        seconds=max(1.0, seconds / 2),
    )
