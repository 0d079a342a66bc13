"""What a partitioner library is given: a checked, merged, scaled hypergraph that cannot harm it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pyhpmp.errors import InfeasiblePlanError, InvalidArgumentError

Ints64 = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]

# The libraries keep weights and their sums in C ints and overflow in silence; this leaves them room
# for sums of costs times parts.
LARGEST_SUM = 2**30


class HypergraphArrays(Protocol):
    """A hypergraph as arrays (weights of cells, costs of nets, pins in CSR form) and its search."""

    @property
    def cell_weight(self) -> Ints64: ...
    @property
    def net_cost(self) -> Ints64: ...
    @property
    def pin_begin(self) -> Ints64: ...
    @property
    def pin_cell(self) -> Ints32: ...
    def search(
        self,
        ranks: int,
        *,
        epsilon: float | None = None,
        seed: int | None = None,
        work: int | None = None,
        seconds: float | None = None,
        keep: int | None = None,
        share: Sequence[float] | None = None,
        starts: Sequence[npt.ArrayLike] = (),
    ) -> list[Ints32]: ...


@dataclass(frozen=True)
class Problem:
    """The part of a hypergraph that is left to a library.

    vertex: [vertices] which cell each vertex is. weight: [vertices], scaled. nets: pins of each net
    as vertices, ascending, at least two, no two nets alike. cost: [nets], scaled. capacity: [parts]
    most scaled weight of each part that is left. parts: which part of the caller's each of these
    is. placed: [cells] parts of cells that are decided already, -1 elsewhere. fixed: [vertices]
    part (of those left) that a vertex must be in, or -1.
    """

    vertex: Ints64
    weight: list[int]
    nets: list[list[int]]
    cost: list[int]
    capacity: list[int]
    parts: list[int]
    placed: Ints32
    fixed: list[int]
    epsilon: float

    def completed(self, part: npt.ArrayLike) -> Ints32:
        """Parts of all cells from the parts of the vertices."""
        whole = self.placed.copy()
        whole[self.vertex] = np.asarray(self.parts, np.int32)[np.asarray(part, np.int64)]
        return whole


def check(h: HypergraphArrays, ranks: int, epsilon: float, fixed: npt.ArrayLike | None) -> None:
    """Everything that would make a library ask, crash or loop is refused here."""
    cells, pins = len(h.cell_weight), len(h.pin_cell)
    if ranks < 1:
        raise InvalidArgumentError(f"cannot partition for {ranks} ranks; give at least 1")
    if not 0 <= epsilon < 100:
        raise InvalidArgumentError(f"epsilon {epsilon} is no imbalance; 0.03 means 3%")
    if ranks > cells:
        raise InfeasiblePlanError(
            f"{ranks} ranks are more than the {cells} cells to spread; use fewer ranks or more "
            "shards"
        )
    begin = h.pin_begin
    well_formed = len(begin) == len(h.net_cost) + 1 and begin[0] == 0 and begin[-1] == pins
    if not well_formed or np.any(np.diff(begin) < 0):
        raise InvalidArgumentError("pin_begin must be nets + 1 long and rise from 0 to the pins")
    if pins and (h.pin_cell.min() < 0 or h.pin_cell.max() >= cells):
        raise InvalidArgumentError(f"a pin lies outside the {cells} cells of the hypergraph")
    if np.any(h.cell_weight < 1) or np.any(h.net_cost < 0):
        raise InvalidArgumentError("weights of cells must be at least 1, costs of nets at least 0")
    if fixed is not None:
        parts = np.asarray(fixed)
        if parts.shape != (cells,) or np.any(parts < -1) or np.any(parts >= ranks):
            raise InvalidArgumentError(
                f"fixed parts must be {cells} numbers from -1 (free) to {ranks - 1}"
            )


def prepare(
    h: HypergraphArrays,
    ranks: int,
    epsilon: float,
    fixed: npt.ArrayLike | None = None,
    share: Sequence[float] | None = None,
) -> Problem:
    """Checks a hypergraph and reduces it to what a library may safely see."""
    check(h, ranks, epsilon, fixed)
    shares = _shares(share, ranks)
    placed = np.full(len(h.cell_weight), -1, np.int32)
    wanted = placed if fixed is None else np.asarray(fixed, np.int32)
    parts = list(range(ranks))
    if fixed is None:
        parts = _place_heavy_cells(h.cell_weight, epsilon, shares, placed)
    vertex = np.flatnonzero(placed < 0)
    weight = _scaled(h.cell_weight[vertex])
    nets, cost = _merged_nets(h, vertex)
    # Room for the sum of costs times parts, which is the largest volume there is.
    scaled_cost = _scaled(np.asarray(cost, np.int64), LARGEST_SUM // len(parts))
    total, share_left = sum(weight), shares[parts].sum()
    heaviest = max(weight, default=1)
    capacity = [
        max(heaviest, int(total * shares[part] / share_left * (1 + epsilon))) for part in parts
    ]
    return Problem(
        vertex, weight, nets, scaled_cost, capacity, parts, placed, wanted[vertex].tolist(), epsilon
    )


def _shares(share: Sequence[float] | None, ranks: int) -> npt.NDArray[np.float64]:
    shares = np.ones(ranks) if share is None else np.asarray(share, np.float64)
    if shares.shape != (ranks,) or not np.all(np.isfinite(shares)) or np.any(shares <= 0):
        raise InvalidArgumentError(f"shares of the ranks must be {ranks} positive numbers")
    fractions: npt.NDArray[np.float64] = shares / shares.sum()
    return fractions


def _place_heavy_cells(
    weight: Ints64, epsilon: float, shares: npt.NDArray[np.float64], placed: Ints32
) -> list[int]:
    """Gives each cell that outweighs a part a part of its own; returns the parts that are left.

    Such a cell keeps its part full whatever else is done. Taking both out leaves the connectivity
    of every placement of the rest unchanged up to a constant.
    """
    parts = sorted(range(len(shares)), key=lambda part: (-shares[part], part))
    left = int(weight.sum())
    for cell in np.argsort(-weight, kind="stable"):
        share = shares[parts[0]] / shares[parts].sum()
        if len(parts) < 2 or weight[cell] <= left * share * (1 + epsilon):
            break
        placed[cell] = parts.pop(0)
        left -= int(weight[cell])
    return sorted(parts)


def _scaled(values: Ints64, largest_sum: int = LARGEST_SUM) -> list[int]:
    """Positive whole numbers in proportion to `values` whose sum a C int holds."""
    scale = int(values.sum()) / largest_sum if len(values) else 0.0
    if scale <= 1.0:
        return [int(value) for value in values]
    return [max(1, round(int(value) / scale)) for value in values]


def _merged_nets(h: HypergraphArrays, vertex: Ints64) -> tuple[list[list[int]], list[int]]:
    """Nets between vertices; nets with the same pins become one of the summed cost."""
    number = np.full(len(h.cell_weight), -1, np.int64)
    number[vertex] = np.arange(len(vertex))
    pins, costs = number[h.pin_cell], h.net_cost.tolist()
    bounds = h.pin_begin.tolist()
    merged: dict[bytes, int] = {}
    nets: list[list[int]] = []
    cost: list[int] = []
    for net, net_cost in enumerate(costs):
        touched = np.unique(pins[bounds[net] : bounds[net + 1]])
        touched = touched[touched >= 0]
        if len(touched) < 2 or net_cost == 0:
            continue
        at = merged.setdefault(touched.tobytes(), len(nets))
        if at == len(nets):
            nets.append(touched.tolist())
            cost.append(0)
        cost[at] += net_cost
    return nets, cost


def connectivity(h: HypergraphArrays, part: npt.ArrayLike, ranks: int) -> int:
    """Sum of cost * (lambda - 1), in exact integers whatever a library reports."""
    parts = np.asarray(part, np.int64)
    net = np.repeat(np.arange(len(h.net_cost)), np.diff(h.pin_begin))
    pairs = np.unique(net * ranks + parts[h.pin_cell])
    touched = np.bincount(pairs // ranks, minlength=len(h.net_cost))
    return int(np.sum(h.net_cost * np.maximum(touched - 1, 0)))


def imbalance(
    h: HypergraphArrays, part: npt.ArrayLike, ranks: int, share: Sequence[float] | None = None
) -> float:
    """Heaviest part over its share of the weight, less 1."""
    weight = np.zeros(ranks, np.int64)
    np.add.at(weight, np.asarray(part, np.int64), h.cell_weight)
    return float(np.max(weight / (int(weight.sum()) * _shares(share, ranks))) - 1)
