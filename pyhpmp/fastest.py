"""The search for the shortest step: starts on every grid, improved on simulated time.

The starts are the classical strategies, replicated pipelines, placements of least volume under a
tight and a loose balance, and what was found on fewer ranks. Every grid is searched a little, the
two best ones deeply. Which basin a search ends in is chance, and staying in it longer gains little:
more time than the default is spent on whole searches of other seeds.
"""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from pyhpmp import _core
from pyhpmp.errors import HpmpError, InfeasiblePlanError
from pyhpmp.grids import Grids
from pyhpmp.partitioners import partition
from pyhpmp.partitioners.partition import LIBRARIES
from pyhpmp.partitioners.portfolio import spread
from pyhpmp.partitioners.problem import Ints32
from pyhpmp.request import DEFAULT_SECONDS, Request
from pyhpmp.strategies import BASELINES

# Tasks simulated for each second of planning that is allowed, half of what two server cores do.
WORK_PER_SECOND = 4_000_000
# Pins that the searches for little volume touch, likewise.
VOLUME_WORK_PER_SECOND = 12_000_000
# A small network is searched no longer than this many looks at each of its tasks.
LOOKS_PER_TASK = 15_000
# Share of the work for a first look at every grid; the rest deepens the best two.
FIRST_LOOK = 0.4
# Balance matters little where the network binds.
LOOSE = 0.3
KEEP = 3
# Finer grids have more tasks than can be tried often enough.
MOST_TASKS = 40_000


@dataclass
class Placed:
    """A part per cell on a grid, and the predicted seconds of its step."""

    shards: int
    hypergraph: _core.Hypergraph
    part: Ints32
    seconds: float
    starts: list[Ints32] = field(default_factory=list)


def search(grids: Grids, counts: list[int], request: Request, deadline: float) -> list[Placed]:
    """Placements of one grid each, fastest first: the best of one or more searches.

    Raises:
        HpmpError: no grid can be placed, or nothing fits the memory; the first reason.
    """
    counts = _affordable(grids, counts)
    tries = max(1, int(request.seconds / DEFAULT_SECONDS))
    begin = time.monotonic()
    best: dict[int, Placed] = {}
    for turn in range(tries):
        one = replace(request, seed=request.seed + turn, seconds=request.seconds / tries)
        end = begin + (turn + 1) * (deadline - begin) / tries
        try:
            found = _searched(grids, counts, one, end)
        except HpmpError:
            if not best:
                raise
            continue
        for placed in found:
            best[placed.shards] = min(best.get(placed.shards, placed), placed, key=_order)
    return sorted(best.values(), key=_order)


def _searched(grids: Grids, counts: list[int], request: Request, deadline: float) -> list[Placed]:
    """What one search finds.

    Grids are searched side by side, as many as there are cores; what is found does not depend on
    how many that are, unless time runs out.
    """
    work = _work(grids, counts, request)
    share = int(work * FIRST_LOOK / len(counts))
    workers = min(len(counts), os.cpu_count() or 1)
    # Grids that one worker looks at, and the deeper search.
    turns = math.ceil(len(counts) / workers) + 1
    begin = time.monotonic()
    seconds = max(0.0, deadline - begin) / turns

    def first_look(shards: int) -> Placed | HpmpError:
        end = begin + (1 + counts.index(shards) // workers) * seconds
        try:
            starts = _starts(grids.coarse(shards), request, len(counts), seconds)
            return _improved(grids, shards, starts, request, share, end)
        except HpmpError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        looks = list(pool.map(first_look, counts))
        found = [look for look in looks if isinstance(look, Placed)]
        if not found:
            raise next(look for look in looks if isinstance(look, HpmpError))
        return _deepened(pool, grids, found, request, int(work * (1 - FIRST_LOOK)), deadline)


def _tasks(h: _core.Hypergraph) -> int:
    """Forward and backward of every group and shard where each is on one rank."""
    return 2 * len(h.groups) * (int(h.cell_shard.max(initial=0)) + 1)


def _affordable(grids: Grids, counts: list[int]) -> list[int]:
    first = _tasks(grids.coarse(counts[0])) // counts[0]
    return [count for count in counts if count * first <= MOST_TASKS] or counts[:1]


def _work(grids: Grids, counts: list[int], request: Request) -> int:
    most = LOOKS_PER_TASK * _tasks(grids.coarse(counts[-1]))
    return int(min(WORK_PER_SECOND * request.seconds, most))


def _starts(h: _core.Hypergraph, request: Request, grids: int, seconds: float) -> list[Ints32]:
    """Half of `seconds`, at most, goes into those of little volume."""
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
            work=int(VOLUME_WORK_PER_SECOND * request.seconds / (2 * grids)),
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


def _improved(
    grids: Grids,
    shards: int,
    starts: list[Ints32],
    request: Request,
    work: int,
    deadline: float,
    ladder: bool = True,
) -> Placed:
    h = grids.coarse(shards)
    machine = request.machine | {
        "memory_limit_bytes": request.memory_bytes,
        "recompute": request.recompute,
    }
    part, seconds = h.improve(
        request.ranks,
        machine,
        starts=starts,
        seed=request.seed,
        work=work,
        seconds=max(0.0, deadline - time.monotonic()),
        ladder=ladder,
    )
    return Placed(shards, h, part, seconds, starts)


def _deepened(
    pool: ThreadPoolExecutor,
    grids: Grids,
    found: list[Placed],
    request: Request,
    work: int,
    deadline: float,
) -> list[Placed]:
    """More work, shared by the two most promising grids, each with the other's best if it fits."""
    leaders = sorted(found, key=_order)[:2]

    def deepen(leader: Placed) -> Placed:
        starts = [leader.part, *leader.starts]
        for other in leaders:
            if other is not leader and leader.shards % other.shards == 0:
                starts.insert(1, spread(other, leader.hypergraph, leader.shards))
        share = work // len(leaders)
        return _improved(grids, leader.shards, starts, request, share, deadline, ladder=False)

    best = {placed.shards: placed for placed in found}
    best |= {placed.shards: placed for placed in pool.map(deepen, leaders)}
    return sorted(best.values(), key=_order)


def _order(placed: Placed) -> tuple[float, int]:
    return placed.seconds, placed.shards
