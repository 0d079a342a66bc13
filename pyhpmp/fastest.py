"""The search for the shortest step: starts on every grid, improved on simulated time.

The starts are the classical strategies, replicated pipelines, placements of least volume under a
tight and a loose balance, and what the last coarser grid gave. Every grid is searched a little, the
two best ones deeply.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pyhpmp import _core
from pyhpmp.errors import HpmpError, InfeasiblePlanError
from pyhpmp.grids import Grids
from pyhpmp.partitioners import partition
from pyhpmp.partitioners.partition import LIBRARIES
from pyhpmp.partitioners.portfolio import spread
from pyhpmp.partitioners.problem import Ints32
from pyhpmp.request import Request
from pyhpmp.strategies import BASELINES

# Tasks simulated for each second of planning that is allowed, half of what one server core does.
WORK_PER_SECOND = 2_000_000
# Pins that the searches for little volume touch, likewise.
VOLUME_WORK_PER_SECOND = 12_000_000
# A small network is searched no longer than this many looks at each of its tasks.
LOOKS_PER_TASK = 6_000
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
    """Placements of one grid each, fastest first.

    Raises:
        HpmpError: no grid can be placed, or nothing fits the memory; the first reason.
    """
    counts = _affordable(grids, counts)
    work = _work(grids, counts, request)
    found: list[Placed] = []
    refused: list[HpmpError] = []
    for shards in counts:
        if found and time.monotonic() > deadline:
            break
        try:
            coarser = found[-1] if found else None
            starts = _starts(grids.coarse(shards), shards, coarser, request, len(counts))
            share = int(work * FIRST_LOOK / len(counts))
            found.append(_improved(grids, shards, starts, request, share, deadline))
        except HpmpError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return _deepened(grids, found, request, int(work * (1 - FIRST_LOOK)), deadline)


def _tasks(h: _core.Hypergraph) -> int:
    """Forward and backward of every group and shard where each is on one rank."""
    return 2 * len(h.groups) * (int(h.cell_shard.max(initial=0)) + 1)


def _affordable(grids: Grids, counts: list[int]) -> list[int]:
    first = _tasks(grids.coarse(counts[0])) // counts[0]
    return [count for count in counts if count * first <= MOST_TASKS] or counts[:1]


def _work(grids: Grids, counts: list[int], request: Request) -> int:
    most = LOOKS_PER_TASK * _tasks(grids.coarse(counts[-1]))
    return int(min(WORK_PER_SECOND * request.seconds, most))


def _starts(
    h: _core.Hypergraph, shards: int, coarser: Placed | None, request: Request, grids: int
) -> list[Ints32]:
    ranks, starts = request.ranks, []
    replicas = [r for r in range(2, ranks) if ranks % r == 0]
    for name in (*BASELINES, *(f"data:{r}" for r in replicas)):
        try:
            starts.append(h.baseline(name, ranks))
        except InfeasiblePlanError:
            continue
    if coarser is not None and shards % coarser.shards == 0:
        starts.append(spread(coarser, h, shards))
    elif request.partitioner in LIBRARIES:
        starts.append(_by_library(h, request))
    for epsilon in (request.epsilon, max(LOOSE, request.epsilon)):
        starts += h.search(
            ranks,
            epsilon=epsilon,
            seed=request.seed,
            work=int(VOLUME_WORK_PER_SECOND * request.seconds / (2 * grids)),
            seconds=request.seconds / (4 * grids),
            keep=KEEP,
            share=request.machine.get("rank_speed"),
            starts=starts,
        )
    return starts


def _by_library(h: _core.Hypergraph, request: Request) -> Ints32:
    return partition(
        h,
        request.ranks,
        request.epsilon,
        request.seed,
        request.partitioner,
        tries=1,
        share=request.machine.get("rank_speed"),
        seconds=max(1.0, request.seconds / 4),
    )


def _improved(
    grids: Grids,
    shards: int,
    starts: list[Ints32],
    request: Request,
    work: int,
    deadline: float,
) -> Placed:
    h = grids.coarse(shards)
    machine = request.machine | {"memory_limit_bytes": request.memory_bytes}
    part, seconds = h.improve(
        request.ranks,
        machine,
        starts=starts,
        seed=request.seed,
        work=work,
        seconds=max(0.0, deadline - time.monotonic()),
    )
    return Placed(shards, h, part, seconds, starts)


def _deepened(
    grids: Grids, found: list[Placed], request: Request, work: int, deadline: float
) -> list[Placed]:
    """More work, shared by the two most promising grids, the finer one from the coarser's best."""
    leaders = sorted(found, key=lambda placed: (placed.seconds, placed.shards))[:2]
    best = {placed.shards: placed for placed in found}
    coarser: Placed | None = None
    for leader in sorted(leaders, key=lambda placed: placed.shards):
        starts = [leader.part, *leader.starts]
        if coarser is not None and leader.shards % coarser.shards == 0:
            starts.insert(1, spread(coarser, leader.hypergraph, leader.shards))
        share = work // len(leaders)
        coarser = _improved(grids, leader.shards, starts, request, share, deadline)
        best[leader.shards] = coarser
    return sorted(best.values(), key=lambda placed: (placed.seconds, placed.shards))
