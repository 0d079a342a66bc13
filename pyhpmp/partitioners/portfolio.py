"""Placements of one network on grids of several shard counts, each search fed by the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pyhpmp.errors import HpmpError
from pyhpmp.partitioners.partition import LIBRARIES, partition
from pyhpmp.partitioners.problem import HypergraphArrays, Ints32, connectivity, imbalance

# Pins touched by all searches together: two to three seconds on one core of a server.
WORK = 350_000_000
# Share of the work for a first look at every shard count; the rest deepens the best two.
FIRST_LOOK = 0.6
# Imbalance within rounding of the limit counts as within it.
SLACK = 1e-6


class GridHypergraph(HypergraphArrays, Protocol):
    """A hypergraph that knows where its cells stand and can search."""

    @property
    def cell_group(self) -> Ints32: ...
    @property
    def cell_shard(self) -> Ints32: ...
    @property
    def cell_block(self) -> Ints32: ...


class OnGrid(Protocol):
    """A part per cell on the grid of `shards`."""

    @property
    def shards(self) -> int: ...
    @property
    def hypergraph(self) -> GridHypergraph: ...
    @property
    def part(self) -> Ints32: ...


@dataclass(frozen=True)
class Placement:
    """A part per cell on the grid of `shards`; volume in elements per step."""

    shards: int
    hypergraph: GridHypergraph
    part: Ints32
    volume: int
    imbalance: float


@dataclass
class _Search:
    """What all searches of one portfolio share."""

    ranks: int
    epsilon: float
    seed: int
    deadline: float
    share: Sequence[float] | None
    keep: int

    def run(
        self, shards: int, h: GridHypergraph, work: float, starts: Sequence[npt.ArrayLike]
    ) -> list[Placement]:
        found = h.search(
            self.ranks,
            epsilon=self.epsilon,
            seed=self.seed,
            work=max(1, int(work)),
            seconds=max(0.0, self.deadline - time.monotonic()),
            keep=self.keep,
            share=self.share,
            starts=starts,
        )
        return [self.placement(shards, h, part) for part in found]

    def placement(self, shards: int, h: GridHypergraph, part: Ints32) -> Placement:
        volume = connectivity(h, part, self.ranks)
        return Placement(shards, h, part, volume, imbalance(h, part, self.ranks, self.share))

    def order(self, p: Placement) -> tuple[float, int, int]:
        """Balanced first, then least volume, then fewest shards."""
        return max(0.0, p.imbalance - self.epsilon - SLACK), p.volume, p.shards


def partition_best(
    make: Callable[[int], GridHypergraph],
    shard_counts: Sequence[int],
    ranks: int,
    *,
    epsilon: float = 0.03,
    seed: int = 0,
    seconds: float = 4.0,
    partitioner: str = "native",
    share: Sequence[float] | None = None,
    keep: int = 3,
    work: int = WORK,
) -> list[Placement]:
    """Searches placements on grids of several shard counts.

    Every placement on S shards is one on each multiple of S, so the counts are tried in rising
    order and the best of each is a start of the next.

    Args:
        make: gives the hypergraph of a shard count. shard_counts: those to try.
        epsilon: how far a part may exceed its share of the weight.
        seed: the same seed and work give the same result, unless `seconds` ends it.
        partitioner: a library's partition is one more start of the search on the first grid.
        share: [ranks] relative speeds. keep: placements kept of each search.
        work: pins touched by all searches together.

    Returns:
        Placements of all shard counts, best first: within the balance, then by volume.

    Raises:
        HpmpError: no shard count can be cut or placed; the first reason.
    """
    search = _Search(ranks, epsilon, seed, time.monotonic() + seconds, share, keep)
    counts = sorted(set(shard_counts))
    best: dict[int, list[Placement]] = {}
    refused: list[HpmpError] = []
    last: Placement | None = None
    for shards in counts:
        if best and time.monotonic() > search.deadline:
            break
        try:
            h = make(shards)
            starts = _starts(h, shards, last, partitioner, search)
            best[shards] = search.run(shards, h, work * FIRST_LOOK / len(counts), starts)
        except HpmpError as error:
            refused.append(error)
            continue
        last = best[shards][0]
    if not best:
        raise refused[0]
    _deepen(best, search, work * (1 - FIRST_LOOK))
    return sorted((p for found in best.values() for p in found), key=search.order)


def _starts(
    h: GridHypergraph, shards: int, last: Placement | None, partitioner: str, search: _Search
) -> list[Ints32]:
    if last is not None:
        return [spread(last, h, shards)] if shards % last.shards == 0 else []
    if partitioner not in LIBRARIES:
        return []
    seconds = max(1.0, (search.deadline - time.monotonic()) / 2)
    return [
        partition(
            h,
            search.ranks,
            search.epsilon,
            search.seed,
            partitioner,
            tries=1,
            share=search.share,
            seconds=seconds,
        )
    ]


def _deepen(best: dict[int, list[Placement]], search: _Search, work: float) -> None:
    """More work, shared by the two most promising shard counts, from what is known."""
    leaders = sorted(best, key=lambda shards: search.order(best[shards][0]))[:2]
    search.seed += 1
    for shards in sorted(leaders):
        if time.monotonic() > search.deadline:
            return
        h = best[shards][0].hypergraph
        starts = [p.part for p in best[shards]]
        coarser = [n for n in best if n < shards and shards % n == 0]
        starts += [spread(best[n][0], h, shards) for n in coarser]
        best[shards] = search.run(shards, h, work / len(leaders), starts)


def spread(placement: OnGrid, h: GridHypergraph, shards: int) -> Ints32:
    """The same placement on a grid of a multiple of its shards; volume and balance stay."""
    coarse = placement.hypergraph
    first = np.flatnonzero((coarse.cell_shard == 0) & (coarse.cell_block == 0))
    groups = coarse.cell_group[first]
    blocks = np.bincount(coarse.cell_group, minlength=int(groups.max()) + 1) // placement.shards
    begin = np.zeros(len(blocks), np.int64)
    begin[groups] = first
    shard = h.cell_shard.astype(np.int64) * placement.shards // shards
    cell = begin[h.cell_group] + shard * blocks[h.cell_group] + h.cell_block
    return placement.part[cell]
