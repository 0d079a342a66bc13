"""The search for the shortest step: starts on every grid, improved on simulated time.

Every grid is searched a little, the two best ones deeply. Which basin a search ends in is chance,
and staying in it longer gains little: more time than the default is spent on searches of other
seeds, and at last on one from all that they found, which takes from each.
"""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pyhpmp import _core
from pyhpmp.errors import HpmpError
from pyhpmp.grids import Grids
from pyhpmp.partitioners.portfolio import spread
from pyhpmp.partitioners.problem import Ints32
from pyhpmp.request import DEFAULT_SECONDS, Request
from pyhpmp.starts import starts_of

# Tasks simulated for each second of planning that is allowed, half of what two server cores do.
WORK_PER_SECOND = 4_000_000
# A small network is searched no longer than this many looks at each of its tasks.
LOOKS_PER_TASK = 15_000
# Share of a search's work for a first look at its grids; the rest deepens the best of them.
FIRST_LOOK = 0.4
LEADERS = 2
# Grids that further seeds look at.
PROMISING = 3
# No search gains more where the ranks wait for a smaller share of the step.
HARDLY_WAITING = 0.01
# Finer grids have more tasks than can be tried often enough.
MOST_TASKS = 40_000


@dataclass
class Placed:
    """A part per cell on a grid, and the predicted seconds of its step."""

    shards: int
    hypergraph: _core.Hypergraph
    part: Ints32
    seconds: float
    starts: list[Ints32]  # that it was searched from


@dataclass(frozen=True)
class Budget:
    """Searches of one seed each, and the tasks that each may simulate, the crossing likewise."""

    searches: int
    each: int

    @property
    def crosses(self) -> bool:
        return self.searches > 1

    @property
    def total(self) -> int:
        return self.each * (self.searches + self.crosses)


def search(grids: Grids, counts: list[int], request: Request, deadline: float) -> list[Placed]:
    """Placements of one grid each, fastest first.

    Raises:
        HpmpError: no grid can be placed, or nothing fits the memory; the first reason.
    """
    counts = _affordable(grids, counts)
    budget = _budget(grids, counts, request)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        searcher = _Searcher(pool, grids, budget, deadline)
        found = searcher.search(counts, request)
        for turn in range(1, budget.searches):
            if _hardly_waits(found, request):
                return _best_of_grids(found)
            # A library's partition costs too much to be made again.
            one = replace(request, seed=request.seed + turn, partitioner="native")
            promising = [placed.shards for placed in _best_of_grids(found)[:PROMISING]]
            try:
                found += searcher.search(promising, one)
            except HpmpError:  # nothing of this seed fits the memory
                continue
        if budget.crosses:
            found += searcher.deepen(found, request, budget.each)
    return _best_of_grids(found)


def _affordable(grids: Grids, counts: list[int]) -> list[int]:
    first = _tasks(grids.coarse(counts[0])) // counts[0]
    return [count for count in counts if count * first <= MOST_TASKS] or counts[:1]


def _tasks(h: _core.Hypergraph) -> int:
    """Forward and backward of every group and shard where each is on one rank."""
    return 2 * len(h.groups) * (int(h.cell_shard.max(initial=0)) + 1)


def _budget(grids: Grids, counts: list[int], request: Request) -> Budget:
    most = LOOKS_PER_TASK * _tasks(grids.coarse(counts[-1])) * request.seconds / DEFAULT_SECONDS
    total = min(WORK_PER_SECOND * request.seconds, most)
    searches = max(1, int(request.seconds / DEFAULT_SECONDS))
    return Budget(searches, int(total / (searches + 1 if searches > 1 else 1)))


def _hardly_waits(found: list[Placed], request: Request) -> bool:
    best = min(found, key=_order)
    figures = best.hypergraph.predict(best.part, request.ranks, request.within)
    return figures.bubble_fraction < HARDLY_WAITING


def _order(placed: Placed) -> tuple[float, int]:
    return placed.seconds, placed.shards


def _best_of_grids(found: list[Placed]) -> list[Placed]:
    best = {placed.shards: placed for placed in sorted(found, key=_order, reverse=True)}
    return sorted(best.values(), key=_order)


def _leaders(found: list[Placed]) -> list[Placed]:
    return _best_of_grids(found)[:LEADERS]


class _Searcher:
    """Shares the time until the deadline by work.

    Grids are searched side by side, as many as there are cores; what is found does not depend on
    how many that are, unless time runs out.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, grids: Grids, budget: Budget, deadline: float
    ) -> None:
        self._pool, self._grids, self._budget = pool, grids, budget
        self._begin = time.monotonic()
        self._seconds = max(0.0, deadline - self._begin)
        self._spent = 0

    def search(self, counts: list[int], request: Request) -> list[Placed]:
        """What a search of one seed finds on these grids, some of them twice."""
        look = int(FIRST_LOOK * self._budget.each)
        found = self._look(counts, request, look)
        return found + self.deepen(found, request, self._budget.each - look)

    def _look(self, counts: list[int], request: Request, work: int) -> list[Placed]:
        workers = min(len(counts), os.cpu_count() or 1)
        begin, end = time.monotonic(), self._end_of(work)
        seconds = max(0.0, end - begin) / math.ceil(len(counts) / workers)

        def look(shards: int) -> Placed | HpmpError:
            end = begin + (1 + counts.index(shards) // workers) * seconds
            share = work // len(counts)
            try:
                starts = starts_of(self._grids.coarse(shards), request, share, seconds)
                return self._improved(shards, starts, request, share, end)
            except HpmpError as error:
                return error

        looks = list(self._pool.map(look, counts))
        found = [look for look in looks if isinstance(look, Placed)]
        if not found:
            raise next(look for look in looks if isinstance(look, HpmpError))
        return found

    def deepen(self, found: list[Placed], request: Request, work: int) -> list[Placed]:
        """Searches the leaders' grids from all that was found on them, or fits them."""
        leaders, end = _leaders(found), self._end_of(work)

        def deepen(leader: Placed) -> Placed:
            starts = self._starts(leader, found)
            share = work // len(leaders)
            return self._improved(leader.shards, starts, request, share, end, ladder=False)

        return list(self._pool.map(deepen, leaders))

    def _starts(self, leader: Placed, found: list[Placed]) -> list[Ints32]:
        starts = [p.part for p in sorted(found, key=_order) if p.shards == leader.shards]
        coarser = [p for p in _leaders(found) if p.shards < leader.shards]
        for other in coarser:
            if leader.shards % other.shards == 0:
                starts.append(spread(other, leader.hypergraph, leader.shards))
        return starts + leader.starts

    def _end_of(self, work: int) -> float:
        """Of the time for this work after what was asked for before."""
        self._spent += work
        return self._begin + self._seconds * self._spent / max(1, self._budget.total)

    def _improved(
        self,
        shards: int,
        starts: list[Ints32],
        request: Request,
        work: int,
        end: float,
        ladder: bool = True,
    ) -> Placed:
        h = self._grids.coarse(shards)
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
            seconds=max(0.0, end - time.monotonic()),
            ladder=ladder,
        )
        return Placed(shards, h, part, seconds, starts)
