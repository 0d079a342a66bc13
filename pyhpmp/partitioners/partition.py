"""One call for every partitioner: a hypergraph in, a part per cell out, checked and measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyhpmp.errors import InvalidArgumentError
from pyhpmp.partitioners import library, problem
from pyhpmp.partitioners.problem import HypergraphArrays, Ints32, Problem

LIBRARIES = ("kahypar", "mtkahypar")
PARTITIONERS = ("native", *LIBRARIES)


def partition(
    h: HypergraphArrays,
    ranks: int,
    epsilon: float = 0.03,
    seed: int = 0,
    partitioner: str = "native",
    *,
    tries: int = 2,
    fixed: npt.ArrayLike | None = None,
    share: Sequence[float] | None = None,
    seconds: float = 20.0,
) -> Ints32:
    """Places cells on ranks with little communication volume.

    Args:
        h: the hypergraph. ranks: parts. epsilon: how far a part may exceed its share of the weight.
        seed: the same seed gives the same parts, unless `seconds` ends a search.
        partitioner: `native`, `kahypar` or `mtkahypar`.
        tries: seeds that a library tries, from `seed` on.
        fixed: [cells] part of each cell that may not be chosen, -1 elsewhere (libraries only).
        share: [ranks] relative speeds; None: all alike.
        seconds: a time limit; what is found by then counts.

    Returns:
        [cells] int32, no part of it empty.

    Raises:
        InvalidArgumentError: a bad argument, or a library that is not installed.
        InfeasiblePlanError: more ranks than cells.
    """
    problem.check(h, ranks, epsilon, fixed)
    if partitioner in LIBRARIES:
        if ranks == 1:
            return np.zeros(len(h.cell_weight), np.int32)
        return _by_library(h, ranks, epsilon, seed, partitioner, tries, fixed, share, seconds)
    if partitioner != "native":
        raise InvalidArgumentError(
            f"unknown partitioner '{partitioner}'; use one of {', '.join(PARTITIONERS)}"
        )
    if fixed is not None:
        raise InvalidArgumentError(
            f"partitioner 'native' has no fixed cells; use one of {', '.join(LIBRARIES)}"
        )
    found = h.search(ranks, epsilon=epsilon, seed=seed, seconds=seconds, keep=1, share=share)
    return found[0]


def _by_library(
    h: HypergraphArrays,
    ranks: int,
    epsilon: float,
    seed: int,
    name: str,
    tries: int,
    fixed: npt.ArrayLike | None,
    share: Sequence[float] | None,
    seconds: float,
) -> Ints32:
    left = problem.prepare(h, ranks, epsilon, fixed, share)
    if len(left.parts) == 1:
        return left.completed(np.zeros(len(left.weight), np.int32))
    seeds = list(range(seed, seed + max(1, tries)))
    answers = library.partitions(left, name, seeds, seconds)
    found = [left.completed(_without_empty_parts(part, left)) for part in answers]
    return min(found, key=lambda part: _quality(h, part, ranks, epsilon, share))


def _quality(
    h: HypergraphArrays,
    part: Ints32,
    ranks: int,
    epsilon: float,
    share: Sequence[float] | None,
) -> tuple[float, int]:
    excess = max(0.0, problem.imbalance(h, part, ranks, share) - epsilon - 1e-6)
    return excess, problem.connectivity(h, part, ranks)


def _without_empty_parts(part: list[int], left: Problem) -> list[int]:
    """Gives each empty part the heaviest free vertex of the heaviest part that can spare one."""
    parts = np.asarray(part, np.int64)
    weight, free = np.asarray(left.weight), np.asarray(left.fixed) < 0
    for empty in range(len(left.capacity)):
        if np.any(parts == empty):
            continue
        count = np.bincount(parts, minlength=len(left.capacity))
        load = np.bincount(parts, weights=weight, minlength=len(left.capacity))
        for donor in np.argsort(-load, kind="stable"):
            spare = np.flatnonzero((parts == donor) & free)
            if count[donor] > 1 and len(spare):
                parts[spare[np.argmax(weight[spare])]] = empty
                break
    return [int(p) for p in parts]
